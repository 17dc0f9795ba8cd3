"""Rich authorization requests (RFC 9396): asked for by type, shown in words, allowed each time, never widened."""

import json
from typing import Any

import pytest

from idp import directory
from idp.control import apis
from idp.errors import Invalid
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, refused
from tests.playing import RelyingParty, relying_party
from tests.spec.rfc8628.devices import begun as device_begun
from tests.spec.rfc8628.devices import television

API = "https://api.example.com"
SCHEMA = {
    "type": "object",
    "required": ["type", "amount", "creditor"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "payment"},
        "amount": {
            "title": "Amount",
            "type": "object",
            "properties": {
                "value": {"title": "of", "type": "string", "pattern": "^[0-9]{1,9}[.][0-9]{2}$"},
                "currency": {"title": "in", "enum": ["EUR", "USD"]},
            },
            "required": ["value", "currency"],
            "additionalProperties": False,
        },
        "creditor": {"title": "To", "type": "string", "maxLength": 80},
        "actions": {"title": "Actions", "type": "array", "items": {"enum": ["initiate", "status", "cancel"]}},
    },
}
PAYMENT = {
    "type": "payment",
    "amount": {"value": "123.50", "currency": "EUR"},
    "creditor": "Merchant A",
    "actions": ["initiate", "status"],
}


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    declare(acme)
    change(acme, "web", authorization_details_types=["payment"])
    return relying_party(app, acme)


def declare(tenant: Tenant) -> None:
    """The API declares the type."""
    with entered(tenant):
        apis.update(API, {"authorization_details_types": {"payment": {"name": "Payment", "schema": SCHEMA}}})
    directory.forget_all()


def asked(*details: Any) -> dict[str, str]:
    return {"scope": "openid orders.read", "authorization_details": json.dumps(list(details))}


def test_10_discovery_names_the_types(app: Any, acme: Tenant, rp: RelyingParty) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert document["authorization_details_types_supported"] == ["payment"]


def test_the_whole_way(rp: RelyingParty, acme: Tenant) -> None:
    """§2, §5, §7, §9: shown, allowed, in the response, in the token, told by introspection, kept at the refresh."""
    visit = rp.authorize(**asked(PAYMENT)).login("alice")
    assert 'id="consent-form"' in visit.html, "also of a client that asks for no consent otherwise"
    for shown in (
        "Payment",
        "Amount › of",
        "123.50",
        "Amount › in",
        "EUR",
        "To",
        "Merchant A",
        "initiate, status",
    ):
        assert shown in visit.html, shown
    body = rp.exchange(visit.consent().code)
    assert body["authorization_details"] == [PAYMENT]
    claims = rp.verified(body["access_token"], API)
    assert claims["authorization_details"] == [PAYMENT]
    assert rp.introspect(body["access_token"])["authorization_details"] == [PAYMENT]
    assert "authorization_details" not in rp.verified(body["id_token"], "web")
    again = rp.refresh(body["refresh_token"]).get_json()
    assert again["authorization_details"] == [PAYMENT]


def test_what_was_allowed_once_is_asked_again(rp: RelyingParty) -> None:
    browser = rp.browser()
    rp.exchange(rp.authorize(browser, **asked(PAYMENT)).login("alice").consent().code)
    assert 'id="consent-form"' in rp.authorize(browser, **asked(PAYMENT)).html
    silent = rp.authorize(browser, prompt="none", **asked(PAYMENT))
    assert silent.params["error"] == "consent_required"
    denied = rp.authorize(browser, **asked(PAYMENT)).consent("deny")
    assert denied.params["error"] == "access_denied"
    assert rp.authorize(browser, scope="openid").code, "without details nothing is asked"


@pytest.mark.parametrize(
    "text",
    [
        "x", "{}", "[]", "[1]", '[{"a":1}]', '[{"type":7}]', "null", '[{"type":"payment","type":"payment"}]',
        json.dumps([{"type": "unheard-of"}]),
        json.dumps([{**PAYMENT, "creditor": "x" * 81}]),
        json.dumps([{**PAYMENT, "more": 1}]),
        json.dumps([{**PAYMENT, "amount": {"value": "1e9", "currency": "EUR"}}]),
        json.dumps([{k: v for k, v in PAYMENT.items() if k != "creditor"}]),
        json.dumps([PAYMENT] * 21),
        json.dumps([{**PAYMENT, "creditor": "a\x00b"}]),
        "[" * 5_000 + "]" * 5_000,
        '[{"type":"payment","x":' + "[" * 50 + "]" * 50 + "}]",
        '[{"type":"payment","amount":NaN}]',
        json.dumps([PAYMENT]) + " " * 17_000,
    ],
)  # fmt: skip
def test_pj09_5_what_does_not_fit_is_refused(rp: RelyingParty, text: str) -> None:
    given = {"scope": "openid orders.read", "authorization_details": text}
    if len(text) < 4_000:
        assert rp.authorize(**given).params["error"] == "invalid_authorization_details"
    refused(rp.post("par", rp.request(**given)), "invalid_authorization_details")


def test_pj09_what_it_says_is_only_text(rp: RelyingParty) -> None:
    evil = {**PAYMENT, "creditor": '<script>alert("1")</script> \u202eevil'}
    html = rp.authorize(**asked(evil)).login("alice").html
    assert "<script>alert" not in html and "&lt;script&gt;" in html and "\u202e" not in html


def test_pj09_of_whom_and_where_a_type_may_be_asked(app: Any, acme: Tenant, rp: RelyingParty) -> None:
    elsewhere = {"scope": "openid profile", "authorization_details": json.dumps([PAYMENT])}
    assert rp.authorize(**elsewhere).params["error"] == "invalid_authorization_details"
    change(acme, "web", authorization_details_types=None)
    assert rp.authorize(**asked(PAYMENT)).params["error"] == "invalid_authorization_details"


def test_pj09_another_tenant_s_types_are_its_own(
    app: Any, twins: tuple[Tenant, Tenant], rp: RelyingParty
) -> None:
    change(twins[1], "web", authorization_details_types=["payment"])
    abroad = relying_party(app, twins[1])
    assert abroad.authorize(**asked(PAYMENT)).params["error"] == "invalid_authorization_details"


def test_7_and_6_a_token_may_have_less_and_never_more(rp: RelyingParty) -> None:
    other = {**PAYMENT, "creditor": "Merchant B"}
    body = rp.exchange(rp.authorize(**asked(PAYMENT, other)).login("alice").consent().code)
    less = {**PAYMENT, "actions": ["status"]}
    token = body["refresh_token"]
    answer = rp.refresh(token, authorization_details=json.dumps([less])).get_json()
    assert answer["authorization_details"] == [less]
    for more in (
        {**PAYMENT, "actions": ["status", "cancel"]}, {**PAYMENT, "actions": []},
        {**PAYMENT, "amount": {"value": "999.00", "currency": "EUR"}}, {**PAYMENT, "creditor": "Mallory"},
        {k: v for k, v in PAYMENT.items() if k != "creditor"}, {"type": "unheard-of"},
    ):  # fmt: skip
        again = rp.refresh(answer["refresh_token"], authorization_details=json.dumps([more]))
        refused(again, "invalid_authorization_details")
    whole = rp.refresh(answer["refresh_token"]).get_json()
    assert whole["authorization_details"] == [PAYMENT, other], "nothing was used up, and the grant keeps all"


def test_6_what_is_for_one_api_is_in_no_token_for_another(rp: RelyingParty, acme: Tenant) -> None:
    body = rp.exchange(rp.authorize(**asked(PAYMENT)).login("alice").consent().code)
    other = rp.refresh(body["refresh_token"], resource=acme.issuer).get_json()
    assert "authorization_details" not in other
    assert "authorization_details" not in rp.verified(other["access_token"], acme.issuer)


def test_a_type_that_is_withdrawn_falls_away(rp: RelyingParty, acme: Tenant) -> None:
    body = rp.exchange(rp.authorize(**asked(PAYMENT)).login("alice").consent().code)
    change(acme, "web", authorization_details_types=None)
    assert "authorization_details" not in rp.refresh(body["refresh_token"]).get_json()


def test_a_device_asks_in_detail_too(app: Any, acme: Tenant) -> None:
    declare(acme)
    rp = television(app, acme, authorization_details_types=["payment"])
    with entered(acme):
        found = directory.client("tv")
        assert found is not None
        apis.grant(apis.show(API), found, ("orders.read",))
    directory.forget_all()
    device = device_begun(rp, scope="openid orders.read", authorization_details=json.dumps([PAYMENT]))
    visit = device.typed().login("alice")
    assert "Merchant A" in visit.html and "123.50" in visit.html
    visit.submit(action="allow")
    assert device.poll().get_json()["authorization_details"] == [PAYMENT]


@pytest.mark.parametrize(
    "declared",
    [
        "x", {"payment": "x"}, {"payment": {"name": "Payment"}}, {"payment": {"name": "", "schema": {}}},
        {"payment": {"name": "Payment", "schema": {"type": 7}}}, {"": {"name": "Payment", "schema": {}}},
        {"payment": {"name": "Payment", "schema": []}},
    ],
)  # fmt: skip
def test_what_an_operator_may_not_declare(in_acme: Tenant, declared: Any) -> None:
    with pytest.raises(Invalid):
        apis.update(API, {"authorization_details_types": declared})


def test_a_schema_fetches_nothing(rp: RelyingParty, acme: Tenant) -> None:
    with entered(acme):
        far = {"$ref": "http://169.254.169.254/schema"}
        apis.update(API, {"authorization_details_types": {"payment": {"name": "Payment", "schema": far}}})
    directory.forget_all()
    assert rp.authorize(**asked(PAYMENT)).params["error"] == "invalid_authorization_details"
