"""oidcc-config-certification-test-plan: oidcc-discovery-endpoint-verification."""

from typing import Any

from idp.tenants import Tenant

# RFC 8414, OpenID Connect Discovery, and the extensions that the suite's schema has.
MEMBERS = {
    "issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint",
    "introspection_endpoint", "revocation_endpoint", "end_session_endpoint", "check_session_iframe",
    "frontchannel_logout_supported", "frontchannel_logout_session_supported", "backchannel_logout_supported",
    "backchannel_logout_session_supported", "scopes_supported", "response_types_supported", "response_modes_supported",
    "grant_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint_auth_methods_supported", "revocation_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported", "authorization_response_iss_parameter_supported", "claim_types_supported",
    "claims_supported", "claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported",
    "acr_values_supported", "prompt_values_supported", "ui_locales_supported", "userinfo_signing_alg_values_supported",
    "display_values_supported", "claims_locales_supported",
    "request_object_signing_alg_values_supported", "require_request_uri_registration",
    "id_token_encryption_alg_values_supported", "id_token_encryption_enc_values_supported",
    "userinfo_encryption_alg_values_supported", "userinfo_encryption_enc_values_supported",
    "pushed_authorization_request_endpoint", "require_pushed_authorization_requests",
    "dpop_signing_alg_values_supported", "authorization_signing_alg_values_supported",
    "introspection_signing_alg_values_supported", "introspection_encryption_alg_values_supported",
    "introspection_encryption_enc_values_supported",
    "authorization_encryption_alg_values_supported", "authorization_encryption_enc_values_supported",
    "authorization_details_types_supported", "device_authorization_endpoint", "backchannel_authentication_endpoint",
    "backchannel_token_delivery_modes_supported", "backchannel_user_code_parameter_supported",
    "backchannel_authentication_request_signing_alg_values_supported",
}  # fmt: skip


def test_oidcc_discovery_endpoint_verification(app: Any, certification: Tenant) -> None:
    answer = app.test_client().get("/t/certification/.well-known/openid-configuration")
    document = answer.get_json()
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    assert set(document) <= MEMBERS, sorted(set(document) - MEMBERS)
    assert document["issuer"] == certification.issuer
    for name in document:
        if name.endswith(("_endpoint", "_uri", "_iframe")):
            assert document[name].startswith(f"{certification.issuer}/"), name
    assert {"code", "id_token", "id_token token"} <= set(document["response_types_supported"])
    assert {"authorization_code", "implicit", "refresh_token"} <= set(document["grant_types_supported"])
    assert document["subject_types_supported"] == ["public", "pairwise"]
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert "openid" in document["scopes_supported"] and document["claims_supported"]
    methods = {"client_secret_basic", "client_secret_post", "private_key_jwt"}
    assert methods <= set(document["token_endpoint_auth_methods_supported"])
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["request_parameter_supported"] is document["request_uri_parameter_supported"] is True
    assert "RS256" in document["request_object_signing_alg_values_supported"]


def test_oidcc_jwks(app: Any, certification: Tenant) -> None:
    keys = app.test_client().get("/t/certification/jwks.json").get_json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) > 1
    assert {key["kty"] for key in keys} <= {"RSA", "EC"}
    assert not any({"d", "p", "q", "k"} & set(key) for key in keys)
