"""RFC 9068: access tokens as JWTs."""

from typing import Any

import jwt as pyjwt
import pytest

from idp.control import apis, clients
from idp.tenants import Tenant, entered
from tests.attacks.acting import client, party
from tests.playing import relying_party


def test_2_1_the_header_says_what_it_is(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    header = pyjwt.get_unverified_header(rp.sign_in()["access_token"])
    assert header["typ"] == "at+jwt" and header["alg"] == "RS256" and set(header) == {"alg", "kid", "typ"}


def test_2_2_every_required_claim_is_there(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    tokens = rp.sign_in()
    claims = rp.verified(tokens["access_token"], acme.issuer)
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "auth_time", "acr", "amr"} <= set(
        claims
    )
    assert (
        claims["sub"] == rp.verified(tokens["id_token"], "web")["sub"]
        and claims["exp"] - claims["iat"] == tokens["expires_in"]
    )
    assert (
        claims["tenant"] == "acme"
        and claims["tenant_id"] == str(acme.id)
        and claims["scope"] == tokens["scope"]
    )
    assert not {"name", "email", "nonce"} & set(claims)


def test_2_2_a_clients_own_token_has_its_client_id_as_subject(app: Any, acme: Tenant) -> None:
    nightly = relying_party(app, acme, "nightly")
    body = nightly.post("token", {"grant_type": "client_credentials", "scope": "orders.read"}).get_json()
    claims = nightly.verified(body["access_token"], "https://api.example.com")
    assert claims["sub"] == claims["client_id"] == "nightly" and not {"auth_time", "acr", "amr"} & set(claims)


@pytest.mark.parametrize(
    ("own", "typ", "alg", "lifetime"),
    [
        ({"typ": "JWT"}, "JWT", "RS256", 600),
        ({"alg": "ES256"}, "at+jwt", "ES256", 600),
        ({"access_token_lifetime": 60}, "at+jwt", "RS256", 60),
    ],
)
def test_3_an_api_decides_how_its_tokens_are_made(
    app: Any, acme: Tenant, own: dict[str, Any], typ: str, alg: str, lifetime: int
) -> None:
    with entered(acme):
        apis.update("https://api.example.com", own)
    nightly = relying_party(app, acme, "nightly")
    body = nightly.post("token", {"grant_type": "client_credentials", "scope": "orders.read"}).get_json()
    header = pyjwt.get_unverified_header(body["access_token"])
    assert (header["typ"], header["alg"], body["expires_in"]) == (typ, alg, lifetime)
    nightly.verified(body["access_token"], "https://api.example.com")


def test_4_an_id_token_is_no_access_token(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    assert rp.userinfo(rp.sign_in()["id_token"]).status_code == 401


def test_4_a_token_for_another_audience_is_none_here(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    token = rp.sign_in(scope="orders.read", nonce=None)["access_token"]
    assert rp.verified(token, "https://api.example.com")["aud"] == "https://api.example.com"
    assert rp.userinfo(token).status_code == 401


def test_a_client_made_anew_does_not_revive_its_predecessors_tokens(app: Any, acme: Tenant) -> None:
    service = {"grant_types": ["client_credentials"], "redirect_uris": [], "scope": "reports"}
    svc = party(app, acme, client(acme, "svc", secret="c" * 43, **service), "c" * 43)
    token = svc.post("token", {"grant_type": "client_credentials"}).get_json()["access_token"]
    assert svc.introspect(token)["active"] is True
    with entered(acme):
        clients.delete("svc")
    client(acme, "svc", secret="c" * 43, **service)
    assert svc.introspect(token) == {"active": False}
    fresh = svc.post("token", {"grant_type": "client_credentials"}).get_json()["access_token"]
    assert svc.introspect(fresh)["active"] is True
