"""Which refused redemptions burn the code, and that each of them is recorded."""

from typing import Any

import pytest

from idp.control import clients
from idp.tenants import Tenant, entered
from tests.attacks.acting import refused
from tests.playing import RelyingParty, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def _why(database: Any) -> list[str]:
    found = database("SELECT facts->>'why' FROM audit_log WHERE event = 'code.burned' ORDER BY id")
    return [why for (why,) in found]


@pytest.mark.parametrize("client_id", ["web", "spa"])
def test_co03_a_disabled_clients_code_is_burned(
    app: Any, acme: Tenant, database: Any, client_id: str
) -> None:
    rp = relying_party(app, acme, client_id)
    code = rp.authorize().login("alice").code
    with entered(acme):
        clients.suspend(client_id)
    refused(rp.redeem(code), "invalid_client", 401)
    with entered(acme):
        clients.resume(client_id)
    refused(rp.redeem(code), "invalid_grant")
    assert _why(database) == ["client_auth.status"]


def test_co03_a_wrong_secret_of_a_disabled_client_touches_no_code(rp: RelyingParty, acme: Tenant) -> None:
    code = rp.authorize().login("alice").code
    right, rp.secret = rp.secret, "x" * 43
    with entered(acme):
        clients.suspend("web")
    refused(rp.redeem(code), "invalid_client", 401)
    with entered(acme):
        clients.resume("web")
    rp.secret = right
    assert rp.redeem(code).status_code == 200


def test_co03_another_client_without_the_grant_burns_it_too(
    app: Any, acme: Tenant, rp: RelyingParty, database: Any
) -> None:
    code = rp.authorize().login("alice").code
    refused(relying_party(app, acme, "nightly").post("token", {
        "grant_type": "authorization_code", "code": code, "redirect_uri": rp.redirect_uri,
    }), "unauthorized_client")  # fmt: skip
    refused(rp.redeem(code), "invalid_grant")
    assert _why(database) == ["client.grant_types"]


def test_co03_a_bad_resource_burns_the_code_and_is_recorded(rp: RelyingParty, database: Any) -> None:
    code = rp.authorize().login("alice").code
    refused(rp.redeem(code, resource="https://nowhere.example"), "invalid_target")
    refused(rp.redeem(code), "invalid_grant")
    assert _why(database) == ["resource.narrowing"]
    assert database("SELECT count(*) FROM grants")[0][0] == 0
