"""RFC 7662: token introspection."""

from typing import Any

import pytest

from idp.control import apis
from idp.tenants import Tenant, entered
from tests.attacks.acting import refused
from tests.playing import RelyingParty, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def test_2_2_an_access_token_is_told_with_its_claims(rp: RelyingParty, acme: Tenant) -> None:
    tokens = rp.sign_in()
    told = rp.introspect(tokens["access_token"])
    claims = rp.verified(tokens["access_token"], acme.issuer)
    assert told["active"] is True and told["token_type"] == "Bearer"
    for name in ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "tenant"):
        assert told[name] == claims[name], name


def test_2_2_a_refresh_token_is_told_to_its_client(rp: RelyingParty) -> None:
    told = rp.introspect(rp.sign_in()["refresh_token"])
    assert told["active"] is True and told["client_id"] == "web" and told["exp"] > told["iat"]


def test_2_2_an_expired_token_is_inactive_and_nothing_more(rp: RelyingParty, frozen: Any) -> None:
    with frozen() as clock:
        token = rp.sign_in()["access_token"]
        clock.tick(600)
        assert rp.introspect(token) == {"active": False}


def test_2_2_a_service_sees_what_is_meant_for_it(app: Any, acme: Tenant, rp: RelyingParty) -> None:
    token = rp.sign_in(scope="openid orders.read")["access_token"]
    nightly = relying_party(app, acme, "nightly")
    assert nightly.introspect(token) == {"active": False}
    with entered(acme):
        apis.update("https://api.example.com", {"introspected_by": ["nightly"]})
    assert nightly.introspect(token)["active"] is True
    assert nightly.introspect(rp.sign_in(scope="openid")["access_token"]) == {"active": False}


def test_2_1_the_client_proves_itself_and_names_a_token(app: Any, acme: Tenant, rp: RelyingParty) -> None:
    refused(rp.post("introspect", {"token": "x"}, authenticated=False), "invalid_client", 401)
    refused(relying_party(app, acme, "spa").post("introspect", {"token": "x"}), "invalid_client", 401)
    refused(rp.post("introspect", {"x": "1"}), "invalid_request")
    refused(rp.post("introspect", {"token": "x" * 20_000}), "invalid_request", 413)
    assert app.test_client().get("/t/acme/introspect?token=x").status_code == 405
