export VAULT_ADDR='{{ url }}'
vault auth enable oidc
vault write auth/oidc/config - <<'END'
{
  "oidc_discovery_url": "{{ issuer }}",
  "oidc_client_id": "{{ client_id }}",
  "oidc_client_secret": "{{ client_secret }}",
  "default_role": "default"
}
END
vault write auth/oidc/role/default - <<'END'
{
  "role_type": "oidc",
  "user_claim": "sub",
  "groups_claim": "groups",
  "bound_audiences": ["{{ client_id }}"],
  "oidc_scopes": [{% for each in scopes if each != "openid" %}"{{ each }}"{{ ", " if not loop.last }}{% endfor %}],
  "allowed_redirect_uris": [{% for each in redirect_uris %}"{{ each }}"{{ ", " if not loop.last }}{% endfor %}],
  "claim_mappings": {"preferred_username": "username", "email": "email"},
  "token_policies": ["default"]
}
END
