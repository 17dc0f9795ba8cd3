gitlab_rails['omniauth_allow_single_sign_on'] = ['openid_connect']
gitlab_rails['omniauth_block_auto_created_users'] = false
gitlab_rails['omniauth_providers'] = [
  {
    name: "openid_connect",
    label: "Single sign-on",
    args: {
      name: "openid_connect",
      issuer: "{{ issuer }}",
      discovery: true,
      response_type: "code",
      scope: [{% for each in scopes %}"{{ each }}"{{ ", " if not loop.last }}{% endfor %}],
      client_auth_method: "query",
      pkce: true,
      uid_field: "sub",
      send_scope_to_token_endpoint: "false",
      client_options: {
        identifier: "{{ client_id }}",
        secret: "{{ client_secret }}",
        redirect_uri: "{{ redirect_uris[0] }}",
        gitlab: {
          groups_attribute: "groups",
          admin_groups: ["gitlab-admins"]
        }
      }
    }
  }
]
