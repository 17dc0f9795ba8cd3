"""OpenID Connect Discovery 1.0: the Config profile, and a document that tells the truth."""

import json
from typing import Any

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata

from idp.tenants import Tenant

REGISTERED = {
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "acr_values_supported",
    "subject_types_supported",
    "claims_supported",
    "id_token_signing_alg_values_supported",
    "userinfo_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "claims_locales_supported",
    "ui_locales_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "display_values_supported",
    "claim_types_supported",
    "claims_parameter_supported",
    "id_token_encryption_alg_values_supported",
    "id_token_encryption_enc_values_supported",
    "userinfo_encryption_alg_values_supported",
    "userinfo_encryption_enc_values_supported",
    "request_object_signing_alg_values_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
    "pushed_authorization_request_endpoint",
    "require_pushed_authorization_requests",
    "device_authorization_endpoint",
    "authorization_details_types_supported",
    "backchannel_authentication_endpoint",
    "backchannel_token_delivery_modes_supported",
    "backchannel_authentication_request_signing_alg_values_supported",
    "backchannel_user_code_parameter_supported",
    "introspection_endpoint",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "end_session_endpoint",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
    "check_session_iframe",
    "code_challenge_methods_supported",
    "authorization_response_iss_parameter_supported",
    "prompt_values_supported",
    "dpop_signing_alg_values_supported",
    "authorization_signing_alg_values_supported",
    "introspection_signing_alg_values_supported",
    "introspection_encryption_alg_values_supported",
    "introspection_encryption_enc_values_supported",
    "authorization_encryption_alg_values_supported",
    "authorization_encryption_enc_values_supported",
    "service_documentation",
    "op_policy_uri",
    "op_tos_uri",
}


@pytest.fixture
def document(app: Any, acme: Tenant) -> dict[str, Any]:
    answer = app.test_client().get("/t/acme/.well-known/openid-configuration")
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    return dict(answer.get_json())


def test_3_an_independent_validator_accepts_it_over_https(document: dict[str, Any]) -> None:
    OpenIDProviderMetadata(
        json.loads(json.dumps(document).replace("http://localhost", "https://idp.example"))
    ).validate()


def test_3_there_is_no_member_that_no_specification_names(document: dict[str, Any]) -> None:
    assert set(document) <= REGISTERED


def test_3_what_certification_asks_for_is_there(document: dict[str, Any]) -> None:
    assert "code" in document["response_types_supported"] and "public" in document["subject_types_supported"]
    assert (
        "RS256" in document["id_token_signing_alg_values_supported"]
        and "none" not in document["id_token_signing_alg_values_supported"]
    )
    assert {"openid", "profile", "email", "address", "phone", "offline_access"} <= set(
        document["scopes_supported"]
    )
    assert {"client_secret_basic", "client_secret_post", "private_key_jwt"} <= set(
        document["token_endpoint_auth_methods_supported"]
    )
    assert {"sub", "name", "email", "address", "phone_number", "updated_at"} <= set(
        document["claims_supported"]
    )
    assert (
        "refresh_token" in document["grant_types_supported"]
        and document["claims_parameter_supported"] is True
    )
    assert document["request_parameter_supported"] is True
    assert document["request_uri_parameter_supported"] is False  # until the policy says so
    assert set(document["prompt_values_supported"]) == {"none", "login", "consent", "select_account"}


def test_4_1_the_issuer_is_the_address_less_its_suffix(document: dict[str, Any], acme: Tenant) -> None:
    assert document["issuer"] == acme.issuer == "http://localhost/t/acme"


def test_3_every_endpoint_is_there(app: Any, document: dict[str, Any]) -> None:
    for name, address in document.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            path = address.removeprefix("http://localhost")
            statuses = {app.test_client().get(path).status_code, app.test_client().post(path).status_code}
            assert 404 not in statuses and max(statuses) < 500, name


def test_10_1_1_jwks_has_public_keys_with_kids_for_every_algorithm(
    app: Any, document: dict[str, Any]
) -> None:
    keys = app.test_client().get("/t/acme/jwks.json").get_json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys)
    assert {key["alg"] for key in keys} >= set(document["id_token_signing_alg_values_supported"])
    for key in keys:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key) and key["use"] == "sig"
        assert key["kty"] in {"RSA", "EC", "OKP"} and (key["kty"] != "RSA" or len(key["n"]) >= 342)
