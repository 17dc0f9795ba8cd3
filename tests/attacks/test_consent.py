"""Consent is given to one client for scopes at one API; a name that another API shares is asked for anew."""

from typing import Any

import pytest

from idp.control import apis, clients
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, events
from tests.playing import RelyingParty, inputs, relying_party

ORDERS, BILLS = "https://api.example.com", "https://bills.example.com"


@pytest.fixture
def asks(app: Any, acme: Tenant) -> RelyingParty:
    """A client that needs consent, granted a scope of one name at two APIs."""
    with entered(acme):
        apis.create(BILLS, {"name": "Bills", "scopes": {"orders.read": "Read your bills"}})
        for identifier in (ORDERS, BILLS):
            apis.grant(apis.show(identifier), clients.show("asks"), ("orders.read",))
    return relying_party(app, acme, "asks")


def test_consent_for_one_api_is_none_for_another(asks: RelyingParty) -> None:
    browser = asks.browser()
    first = asks.authorize(browser, scope="openid orders.read", resource=ORDERS).login("alice")
    assert "Read your orders" in first.html and "Read your bills" not in first.html
    assert first.consent().code
    assert asks.authorize(browser, scope="openid orders.read", resource=ORDERS).code
    again = asks.authorize(browser, scope="openid orders.read", resource=BILLS)
    assert 'id="consent"' in again.html and "Read your bills" in again.html
    silent = asks.authorize(browser, scope="openid orders.read", resource=BILLS, prompt="none")
    assert silent.params["error"] == "consent_required"


def test_a_grant_at_one_more_api_is_not_covered_by_the_consent_before(
    asks: RelyingParty, acme: Tenant
) -> None:
    with entered(acme):
        apis.ungrant(apis.show(BILLS), clients.show("asks"))
    visit = asks.authorize(scope="openid orders.read offline_access").login("alice").consent()
    tokens = asks.exchange(visit.code)
    assert asks.refresh(tokens["refresh_token"]).status_code == 200
    with entered(acme):
        apis.grant(apis.show(BILLS), clients.show("asks"), ("orders.read",))
    answer = asks.refresh(tokens["refresh_token"])
    assert answer.status_code == 400 and answer.get_json()["error"] == "invalid_grant"


def test_the_csrf_token_of_one_resource_allows_no_other(asks: RelyingParty) -> None:
    browser = asks.browser()
    first = asks.authorize(browser, scope="openid orders.read", resource=ORDERS).login("alice")
    other = asks.authorize(browser, scope="openid orders.read", resource=BILLS)
    assert 'id="consent"' in first.html and 'id="consent"' in other.html
    answer = browser.post(other.page, data={**inputs(first.html), "action": "allow"})
    assert answer.status_code == 403


def test_a_page_that_was_shown_before_an_api_was_added_allows_nothing(
    asks: RelyingParty, acme: Tenant
) -> None:
    with entered(acme):
        apis.ungrant(apis.show(BILLS), clients.show("asks"))
    shown = asks.authorize(scope="openid orders.read").login("alice")
    assert "Read your bills" not in shown.html
    with entered(acme):
        apis.grant(apis.show(BILLS), clients.show("asks"), ("orders.read",))
    change(acme, "asks", client_name="Acme Asks")
    assert shown.submit(action="allow").answer.status_code == 403


def test_a_denial_is_recorded_with_what_was_asked(asks: RelyingParty, acme: Tenant, database: Any) -> None:
    asks.authorize(scope="openid orders.read", resource=ORDERS).login("alice").consent("deny")
    rows = database("SELECT facts->'scopes' FROM audit_log WHERE event = 'consent.denied'")
    assert rows == [(["openid", f"{ORDERS} orders.read"],)]
    assert events(database, acme, "authorization.denied") == 1
