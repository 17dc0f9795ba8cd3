"""npm's openid-client as a relying party: every way in which it signs people in, against the running provider."""

from typing import Any

import pytest

from idp.tenants import Tenant
from tests.peers.clients import BYE, CALLBACK, held, key, made, public, registered_key
from tests.peers.person import Person
from tests.peers.programs import Failed
from tests.receiving import document_server

PROGRAM = "openid-client"


@pytest.mark.parametrize(
    ("client_id", "method"),
    [("basic", "client_secret_basic"), ("post", "client_secret_post"), ("public", "none")],
)
def test_code_with_pkce_refresh_revocation_and_logout(
    play: Any, issuer: str, person: Person, client_id: str, method: str
) -> None:
    told = play("whole", client_id, method)
    held(told, issuer, client_id)
    assert told["userinfo"]["groups"] == ["engineers"]
    assert method == "none" or (told["told"]["active"], told["told"]["client_id"]) == (True, client_id)
    assert person.seen == ["login", "logout"]


def test_private_key_jwt(play: Any, issuer: str, tenant: Tenant) -> None:
    jwk = registered_key(tenant, "keys")
    held(play("whole", "keys", "private_key_jwt", jwk=jwk), issuer, "keys")
    with pytest.raises(Failed) as refusal:
        play("whole", "keys", "private_key_jwt", jwk=key())
    assert refusal.value.told["code"] == "OAUTH_WWW_AUTHENTICATE_CHALLENGE", refusal.value.told


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


@pytest.mark.parametrize(("params", "arrived"), [({}, "#"), ({"response_mode": "form_post"}, "form_post")])
def test_hybrid(play: Any, issuer: str, params: dict[str, str], arrived: str) -> None:
    told = play("hybrid", "hybrid", params=params)
    assert (told["claims"]["iss"], told["arrived"]) == (issuer, arrived)


@pytest.mark.parametrize("params", [{}, {"response_mode": "form_post"}])
def test_implicit(play: Any, issuer: str, params: dict[str, str]) -> None:
    told = play("implicit", "hybrid", params=params)
    assert (told["claims"]["iss"], told["claims"]["aud"]) == (issuer, "hybrid")


def test_signed_userinfo_and_another_algorithm(play: Any, issuer: str) -> None:
    metadata = {"id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "ES256"}
    held(play("whole", "signed", metadata=metadata), issuer, "signed")


def test_encrypted_id_token_and_userinfo(play: Any, issuer: str, tenant: Tenant) -> None:
    """RFC 7516: signed, then encrypted for the client; its key opens both, and another one neither."""
    jwk, other = (key("to-open", "ECDH-ES", "enc") for _ in range(2))
    agreed = {
        "signed_response_alg": "ES256",
        "encrypted_response_alg": "ECDH-ES",
        "encrypted_response_enc": "A256GCM",
    }
    metadata = {
        f"{what}_{part}": value for what in ("id_token", "userinfo") for part, value in agreed.items()
    }
    made(tenant, "closed", jwks={"keys": [public(jwk)]}, **metadata)
    opens = {"alg": "ECDH-ES", "enc": "A256GCM"}
    told = play("whole", "closed", metadata=metadata, opens={**opens, "jwk": jwk})
    held(told, issuer, "closed")
    assert told["parts"] == 5
    with pytest.raises(Failed, match="decrypt"):
        play("whole", "closed", metadata=metadata, opens={**opens, "jwk": other})


def test_pairwise_subjects(play: Any, issuer: str, tenant: Tenant) -> None:
    """OpenID Connect Core section 8.1: one sub for this sector everywhere, and not the public one."""
    with document_server() as sector:
        sector.json([CALLBACK])
        made(tenant, "pairs", subject_type="pairwise", sector_identifier_uri=sector.uri)
    told = play("whole", "pairs")
    held(told, issuer, "pairs")
    assert told["told"]["sub"] == told["claims"]["sub"] != play("whole", "basic")["claims"]["sub"]


def test_an_application_that_registers_itself(play: Any, issuer: str, person: Person) -> None:
    metadata = {
        "client_name": "Made by openid-client", "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [BYE],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post", "scope": "openid profile email offline_access",
    }  # fmt: skip
    told = play("whole", "", register=metadata, scope=metadata["scope"], params={"prompt": "consent"})
    held(told, issuer, told["client"]["client_id"])
    assert told["client"]["client_name"] == "Made by openid-client"
    assert person.seen == ["login", "consent", "logout"]


def test_client_credentials(play: Any) -> None:
    told = play("service", "service", scope="orders.read")
    assert (told["tokens"]["scope"], told["told"]["aud"]) == ("orders.read", "https://api.example.com")


@pytest.mark.parametrize(
    ("spoil", "member", "said"),
    [
        ("iss", "code", "OAUTH_INVALID_RESPONSE"),
        ("no iss", "code", "OAUTH_INVALID_RESPONSE"),
        ("nonce", "code", "OAUTH_JWT_CLAIM_COMPARISON_FAILED"),
        ("verifier", "error", "invalid_grant"),
        ("twice", "error", "invalid_grant"),
    ],
)
def test_what_does_not_fit_is_refused(play: Any, spoil: str, member: str, said: str) -> None:
    with pytest.raises(Failed) as refusal:
        play("refused", "basic", spoil=spoil)
    assert refusal.value.told[member] == said
