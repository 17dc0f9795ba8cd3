"""npm's oauth4webapi, which checks more than others: as a relying party, and as a service that takes our tokens."""

from typing import Any

import pytest

from idp.tenants import Tenant
from tests.peers.clients import BYE, CALLBACK, held, key, registered_key
from tests.peers.person import Person
from tests.peers.programs import Failed

PROGRAM = "oauth4webapi"


@pytest.mark.parametrize("algorithm", ["oidc", "oauth2"])
def test_both_spellings_of_discovery(play: Any, issuer: str, algorithm: str) -> None:
    """OpenID Connect Discovery section 4, RFC 8414 section 3.1."""
    told = play("discovered", "basic", discovery={"algorithm": algorithm})
    assert (told["issuer"], told["code_challenge_methods_supported"]) == (issuer, ["S256"])


@pytest.mark.parametrize(
    ("client_id", "method"),
    [("basic", "client_secret_basic"), ("post", "client_secret_post"), ("public", "none")],
)
def test_code_with_pkce_refresh_revocation_and_logout(
    play: Any, issuer: str, client_id: str, method: str
) -> None:
    held(play("whole", client_id, method), issuer, client_id)


def test_private_key_jwt(play: Any, issuer: str, tenant: Tenant) -> None:
    jwk = registered_key(tenant, "keys")
    held(play("whole", "keys", "private_key_jwt", jwk=jwk), issuer, "keys")
    with pytest.raises(Failed) as refusal:
        play("whole", "keys", "private_key_jwt", jwk=key())
    assert refusal.value.told["code"] == "OAUTH_WWW_AUTHENTICATE_CHALLENGE"


def test_signed_requests(play: Any, issuer: str, tenant: Tenant) -> None:
    """RFC 9101, for a client that may not ask in any other way."""
    jwk = registered_key(tenant, "signs", require_signed_request_object=True)
    held(play("whole", "signs", "private_key_jwt", jwk=jwk, signs=True), issuer, "signs")
    with pytest.raises(Failed) as refusal:
        play("whole", "signs", "private_key_jwt", jwk=jwk)
    assert refusal.value.told["error"] == "invalid_request"


def test_form_post(play: Any, issuer: str) -> None:
    told = play("whole", "basic", params={"response_mode": "form_post"})
    held(told, issuer, "basic")
    assert told["arrived"] == "form_post"


@pytest.mark.parametrize("params", [{}, {"response_mode": "form_post"}])
def test_hybrid(play: Any, issuer: str, params: dict[str, str]) -> None:
    assert play("hybrid", "hybrid", params=params)["claims"]["iss"] == issuer


def test_signed_userinfo_and_another_algorithm(play: Any, issuer: str) -> None:
    metadata = {"id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "ES256"}
    held(play("whole", "signed", metadata=metadata), issuer, "signed")


def test_an_application_that_registers_itself(play: Any, issuer: str, person: Person) -> None:
    metadata = {
        "client_name": "Made by oauth4webapi", "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [BYE],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic", "scope": "openid profile email offline_access",
    }  # fmt: skip
    told = play("whole", "", register=metadata, scope=metadata["scope"], params={"prompt": "consent"})
    held(told, issuer, told["client"]["client_id"])
    assert person.seen == ["login", "consent", "logout"]


def test_a_service_takes_access_tokens_that_are_for_it(play: Any, issuer: str) -> None:
    """RFC 9068: typ, signature, issuer, audience and the required claims, by a reader of another hand."""
    audience = "https://api.example.com"
    told = play("service", "service", scope="orders.read", audience=audience)
    assert (told["claims"]["iss"], told["claims"]["aud"], told["claims"]["client_id"]) == (
        issuer,
        audience,
        "service",
    )
    assert told["other"] == "OAUTH_JWT_CLAIM_COMPARISON_FAILED"
