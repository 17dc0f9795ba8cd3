"""The discovery document (OpenID Connect Discovery 1.0 §3, RFC 8414 §2): derived from the server's own lists."""

from typing import Any
from urllib.parse import urlsplit

from idp import directory
from idp.accounts import assurance, claims
from idp.oauth import details, mutual, server, session_state
from idp.oauth.binding import dpop
from idp.oauth.checks import openid
from idp.oauth.checks.backchannel import ALGORITHMS as BACKCHANNEL_ALGORITHMS
from idp.oauth.client_auth import certificate
from idp.oauth.scopes import STANDARD
from idp.registration import SUBJECT_TYPES, flows
from idp.signing import jwe, jwt
from idp.tenants import current


def addresses(issuer: str) -> dict[str, str]:
    """The issuer and the endpoints that every issuer has, by their names in the metadata."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks.json",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/logout",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "backchannel_authentication_endpoint": f"{issuer}/bc-authorize",
    }


def document() -> dict[str, Any]:
    """The metadata of the entered tenant's issuer."""
    issuer = current().issuer
    policy = current().policy
    response_types = flows.spoken(policy)
    algorithms = list(jwt.algorithms())
    methods = list(server.client_auth_methods())
    confidential = [method for method in methods if method != "none"]
    assertion = list(server.ASSERTION_ALGORITHMS)
    return {
        **addresses(issuer),
        **({} if policy.client_registration == "closed" else {"registration_endpoint": f"{issuer}/register"}),
        **({"client_id_metadata_document_supported": True} if policy.client_id_metadata_hosts else {}),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        **({"check_session_iframe": f"{issuer}/check-session"} if session_state.spoken() else {}),
        **({"authorization_details_types_supported": sorted(details.types())} if details.types() else {}),
        "scopes_supported": [*STANDARD, *_api_scopes()],
        "response_types_supported": list(response_types),
        "response_modes_supported": list(server.RESPONSE_MODES),
        "grant_types_supported": [*server.GRANT_TYPES, *(["implicit"] if len(response_types) > 1 else [])],
        "subject_types_supported": list(SUBJECT_TYPES),
        "id_token_signing_alg_values_supported": algorithms,
        "userinfo_signing_alg_values_supported": algorithms,
        "authorization_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": algorithms,
        **{
            f"{what}_encryption_{part}_values_supported": list(values)
            for what in ("id_token", "userinfo", "authorization", "introspection")
            for part, values in (("alg", jwe.ALGORITHMS), ("enc", jwe.CONTENT))
        },
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": assertion,
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": assertion,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": assertion,
        "code_challenge_methods_supported": list(server.CODE_CHALLENGE_METHODS),
        "authorization_response_iss_parameter_supported": True,
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        **_mutual_tls(),
        "backchannel_token_delivery_modes_supported": ["poll", "ping"],
        "backchannel_authentication_request_signing_alg_values_supported": list(BACKCHANNEL_ALGORITHMS),
        "backchannel_user_code_parameter_supported": True,
        "claim_types_supported": ["normal"],
        "claims_supported": list(claims.SUPPORTED),
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": policy.request_uri_parameter,
        "require_request_uri_registration": True,
        "require_pushed_authorization_requests": policy.require_pushed_authorization_requests,
        "request_object_signing_alg_values_supported": list(server.REQUEST_OBJECT_ALGORITHMS),
        **_encrypted_requests(),
        "acr_values_supported": list(assurance.reachable()),
        **_pages(),
    }


def _pages() -> dict[str, Any]:
    """How people are asked and shown, and in which languages (OpenID Connect Core 1.0 §3.1.2.1, §5.2)."""
    policy = current().policy
    return {
        "prompt_values_supported": list(openid.prompts()),
        "display_values_supported": list(openid.DISPLAYS),
        "ui_locales_supported": list(policy.ui_locales),
        **({"claims_locales_supported": list(policy.claims_locales)} if policy.claims_locales else {}),
    }


def _mutual_tls() -> dict[str, Any]:
    if not certificate.spoken():
        return {}
    issuer, other = current().issuer, mutual.alias()
    told: dict[str, Any] = {"tls_client_certificate_bound_access_tokens": True}
    if other is not None:
        told["mtls_endpoint_aliases"] = {
            name: other + address.removeprefix(issuer)
            for name, address in addresses(issuer).items()
            if address.removeprefix(f"{issuer}/") in mutual.ALIASED
        }
    return told


def _encrypted_requests() -> dict[str, Any]:
    if not current().policy.encryption_keys:
        return {}
    return {
        "request_object_encryption_alg_values_supported": list(jwe.DECRYPTED),
        "request_object_encryption_enc_values_supported": list(jwe.CONTENT),
    }


_UNSPOKEN = frozenset({
    "registration_endpoint", "client_id_metadata_document_supported", "check_session_iframe", "mtls_endpoint_aliases",
    "pushed_authorization_request_endpoint", "require_pushed_authorization_requests",
    "device_authorization_endpoint", "backchannel_authentication_endpoint",
})  # fmt: skip
"""What the platform's issuer does not have, whatever its policy says."""
PLATFORM_GRANTS = ("authorization_code", "refresh_token")


def platform_document() -> dict[str, Any]:
    """The metadata of the platform's issuer, whose realm is entered: what applications of many tenants need."""
    spoken = {
        name: value
        for name, value in document().items()
        if name not in _UNSPOKEN and not name.startswith("backchannel_authentication_")
    }
    return {**spoken, "grant_types_supported": list(PLATFORM_GRANTS)}


def resource_address(issuer: str) -> str:
    """Where the metadata of the issuer's own protected resource lies (RFC 9728 section 3.1)."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"


def resource() -> dict[str, Any]:
    """The metadata of the protected resource that is the issuer itself: userinfo (RFC 9728 section 2)."""
    tenant = current()
    return {
        "resource": tenant.issuer,
        "resource_name": tenant.name,
        "authorization_servers": [tenant.issuer],
        "scopes_supported": list(STANDARD),
        "bearer_methods_supported": ["header", "body"],
        "resource_signing_alg_values_supported": list(jwt.algorithms()),
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
    }


def _api_scopes() -> list[str]:
    found = {scope for api in directory.apis() for scope in api.scopes}
    return sorted(found - set(STANDARD))
