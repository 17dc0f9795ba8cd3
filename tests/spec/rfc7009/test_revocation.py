"""RFC 7009: token revocation."""

from typing import Any

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import refused
from tests.playing import RelyingParty, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def test_2_1_an_access_token_ends_alone(rp: RelyingParty) -> None:
    tokens = rp.sign_in()
    answer = rp.post("revoke", {"token": tokens["access_token"]})
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    assert rp.userinfo(tokens["access_token"]).status_code == 401
    assert rp.introspect(tokens["access_token"]) == {"active": False}
    assert rp.refresh(tokens["refresh_token"]).status_code == 200


def test_2_1_a_refresh_token_ends_its_whole_grant(rp: RelyingParty) -> None:
    tokens = rp.sign_in()
    assert rp.post("revoke", {"token": tokens["refresh_token"]}).status_code == 200
    refused(rp.refresh(tokens["refresh_token"]), "invalid_grant")
    assert rp.userinfo(tokens["access_token"]).status_code == 401


def test_2_1_a_public_client_revokes_its_own(app: Any, acme: Tenant) -> None:
    spa = relying_party(app, acme, "spa")
    tokens = spa.sign_in(scope="openid offline_access")
    assert spa.post("revoke", {"token": tokens["refresh_token"]}).status_code == 200
    refused(spa.refresh(tokens["refresh_token"]), "invalid_grant")


@pytest.mark.parametrize("token", ["x", "a.b.c", "idp_rt_x", "idp_rt_" + "A" * 51])
def test_2_2_an_unknown_token_is_200(rp: RelyingParty, token: str) -> None:
    assert rp.post("revoke", {"token": token}).status_code == 200
    assert rp.post("revoke", {"token": token, "token_type_hint": "unheard_of"}).status_code == 200


def test_2_2_twice_is_200(rp: RelyingParty) -> None:
    token = rp.sign_in()["refresh_token"]
    assert [rp.post("revoke", {"token": token}).status_code for _ in range(2)] == [200, 200]


def test_2_2_1_without_a_token_or_a_client_it_is_an_error(rp: RelyingParty) -> None:
    refused(rp.post("revoke", {"x": "1"}), "invalid_request")
    refused(rp.post("revoke", {"token": "x"}, authenticated=False), "invalid_client", 401)
