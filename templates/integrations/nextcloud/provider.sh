php occ app:install user_oidc
php occ user_oidc:provider idp \
  --clientid='{{ client_id }}' \
  --clientsecret='{{ client_secret }}' \
  --discoveryuri='{{ issuer }}/.well-known/openid-configuration' \
  --scope='{{ scope }}' \
  --mapping-uid=preferred_username \
  --mapping-display-name=name \
  --mapping-email=email \
  --mapping-groups=groups \
  --group-provisioning=1 \
  --send-id-token-hint=1
