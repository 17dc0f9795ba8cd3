"""RFC 8707 §3, RFC 9068 §5: a permission is a scope at an API, and never the name of a scope alone."""

from typing import Any

import pytest

from idp.control import apis
from idp.tenants import Tenant, entered
from tests.attacks.acting import client, party, refused
from tests.playing import RelyingParty, relying_party

ORDERS, BILLS = "https://api.example.com", "https://bills.example.com"


@pytest.fixture
def bills(app: Any, acme: Tenant) -> Tenant:
    """Acme with a second API that declares a scope of the same name as the first."""
    with entered(acme):
        apis.create(
            BILLS, {"name": "Bills", "scopes": {"orders.read": "Read bills", "bills.pay": "Pay bills"}}
        )
    return acme


def allow(tenant: Tenant, identifier: str, client_id: str, *scopes: str) -> None:
    from idp.control import clients

    with entered(tenant):
        apis.grant(apis.show(identifier), clients.show(client_id), scopes)


def ask(rp: RelyingParty, **form: str) -> Any:
    return rp.post("token", {"grant_type": "client_credentials", **form})


@pytest.fixture
def nightly(app: Any, bills: Tenant) -> RelyingParty:
    return relying_party(app, bills, "nightly")


def test_3_a_scope_that_two_apis_declare_reaches_the_one_of_the_grant(nightly: RelyingParty) -> None:
    token = ask(nightly, scope="orders.read").get_json()["access_token"]
    assert nightly.verified(token, ORDERS)["aud"] == ORDERS
    everything = ask(nightly).get_json()["access_token"]
    assert nightly.verified(everything, ORDERS)["aud"] == ORDERS


def test_3_a_person_s_token_too(app: Any, bills: Tenant) -> None:
    rp = relying_party(app, bills)
    tokens = rp.sign_in(scope="openid orders.read offline_access")
    assert set(rp.verified(tokens["access_token"], ORDERS)["aud"]) == {ORDERS, bills.issuer}
    refused(rp.refresh(tokens["refresh_token"], resource=BILLS), "invalid_target")
    assert rp.authorize(scope="openid orders.read", resource=BILLS).params["error"] == "invalid_target"


def test_3_a_grant_at_one_api_opens_no_scope_of_another(nightly: RelyingParty, bills: Tenant) -> None:
    allow(bills, BILLS, "nightly", "bills.pay")
    refused(ask(nightly, scope="orders.read", resource=BILLS), "invalid_scope")
    assert ask(nightly, scope="bills.pay", resource=BILLS).get_json()["scope"] == "bills.pay"


def test_3_one_token_that_would_allow_more_than_was_granted_is_not_made(
    nightly: RelyingParty, bills: Tenant
) -> None:
    allow(bills, BILLS, "nightly", "bills.pay")
    refused(ask(nightly, scope="orders.read bills.pay"), "invalid_target")
    assert ask(nightly, scope="orders.read bills.pay", resource=ORDERS).get_json()["scope"] == "orders.read"
    allow(bills, BILLS, "nightly", "bills.pay", "orders.read")
    token = ask(nightly, scope="orders.read bills.pay").get_json()["access_token"]
    assert set(nightly.verified(token, ORDERS)["aud"]) == {ORDERS, BILLS}


def test_3_a_scope_of_an_api_in_the_client_s_own_scope_is_no_grant(app: Any, bills: Tenant) -> None:
    service = {"grant_types": ["client_credentials"], "redirect_uris": []}
    made = client(bills, "svc", secret="c" * 43, scope="orders.read reports", **service)
    svc = party(app, bills, made, "c" * 43)
    refused(ask(svc, scope="orders.read"), "invalid_scope")
    refused(ask(svc, resource=ORDERS), "invalid_target")
    own = ask(svc).get_json()
    assert (
        own["scope"] == "reports" and svc.verified(own["access_token"], bills.issuer)["aud"] == bills.issuer
    )
    person = client(bills, "person", secret="c" * 43, scope="openid orders.read")
    assert party(app, bills, person, "c" * 43).authorize().params["error"] == "invalid_scope"


def test_3_a_client_without_any_grant_gets_no_token_of_its_own(app: Any, acme: Tenant) -> None:
    service = {"grant_types": ["client_credentials"], "redirect_uris": [], "scope": None}
    svc = party(app, acme, client(acme, "svc", secret="c" * 43, **service), "c" * 43)
    refused(ask(svc), "invalid_scope")
