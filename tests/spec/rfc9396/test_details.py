"""Rich authorization requests (RFC 9396): asked for by type, shown in words, allowed each time, never widened."""

import json
from typing import Any

import pytest

from idp import directory
from idp.control import apis
from idp.errors import Invalid
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, events, refused
from tests.playing import RelyingParty, relying_party
from tests.spec.rfc8628.devices import begun as device_begun
from tests.spec.rfc8628.devices import television
from tests.spec.rfc8693.test_token_exchange import exchange, gateway

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


def test_7_a_code_whose_request_asks_for_more_is_burned_and_recorded(
    rp: RelyingParty, acme: Tenant, database: Any
) -> None:
    code = rp.authorize(**asked(PAYMENT)).login("alice").consent().code
    more = {**PAYMENT, "creditor": "Mallory"}
    refused(rp.redeem(code, authorization_details=json.dumps([more])), "invalid_authorization_details")
    assert events(database, acme, "code.burned") == 1
    refused(rp.redeem(code), "invalid_grant")


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


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://169.254.169.254/schema"}, {"allOf": [{"$ref": "#"}]}, {"$dynamicRef": "#x"},
        {"$defs": {"a": {}}}, {"unevaluatedProperties": False}, {"properties": {"a": {"$ref": "#"}}},
        {"properties": {"a": {"pattern": "^(a+)+$"}}}, {"pattern": "(a|aa)+$"}, {"pattern": "^a*a*b"},
        {"pattern": "a*$"}, {"pattern": "^[a"}, {"pattern": "^a{9999}[b-z]{99}$"}, {"pattern": "^(?=a)b"},
        {"pattern": "^a|b"}, {"pattern": r"^(a)\1"}, {"pattern": 7}, {"patternProperties": {"(x+)*y": {}}},
        {"propertyNames": {"pattern": "x+x+y"}}, {"x": 1}, {"items": {"not": {"if": {"allOf": [{"q": 1}]}}}},
        {"description": "x" * 9_000},
    ],
    ids=lambda schema: str(schema)[:40],
)  # fmt: skip
def test_what_a_schema_may_hold_costs_little(in_acme: Tenant, schema: Any) -> None:
    """CWE-1333 and its like: a tenant's schema runs in everybody's process."""
    with pytest.raises(Invalid):
        apis.update(API, {"authorization_details_types": {"payment": {"name": "Payment", "schema": schema}}})


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$", "DE02120300000000202051", "DE0212030000000020205!"),
        (r"^\d{4}-\d{2}-\d{2}$", "2026-11-30", "2026-1-30"), ("^.*$", "anything", 7), ("^[^<>]+$", "a b", "<"),
        (r"^a\$", "a$", "a"), ("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-?$", "0123abcd-0000-ffff", "x"),
    ],
)  # fmt: skip
def test_patterns_that_people_need(
    rp: RelyingParty, acme: Tenant, pattern: str, fits: object, does_not: object
) -> None:
    schema = {"properties": {"a": {"type": "string", "pattern": pattern}}}
    with entered(acme):
        apis.update(API, {"authorization_details_types": {"payment": {"name": "Payment", "schema": schema}}})
    directory.forget_all()
    assert rp.post("par", rp.request(**asked({"type": "payment", "a": fits}))).status_code == 201
    refused(
        rp.post("par", rp.request(**asked({"type": "payment", "a": does_not}))),
        "invalid_authorization_details",
    )


def test_a_request_has_so_many_values(rp: RelyingParty, acme: Tenant) -> None:
    with entered(acme):
        apis.update(API, {"authorization_details_types": {"payment": {"name": "Payment", "schema": {}}}})
    directory.forget_all()
    many = {"type": "payment", "a": [1] * 600}
    refused(rp.post("par", rp.request(**asked(many))), "invalid_authorization_details")
    assert rp.post("par", rp.request(**asked({**many, "a": [1] * 400}))).status_code == 201


def test_9_an_exchanged_token_has_what_the_other_had_and_never_more(
    app: Any, rp: RelyingParty, acme: Tenant
) -> None:
    other = {**PAYMENT, "creditor": "Merchant B"}
    token = rp.exchange(rp.authorize(**asked(PAYMENT, other)).login("alice").consent().code)["access_token"]
    plain = gateway(app, acme, "plain")
    assert "authorization_details" not in exchange(plain, token).get_json(), "not registered for the type"
    service = gateway(app, acme, authorization_details_types=["payment"])
    whole = exchange(service, token).get_json()
    assert whole["authorization_details"] == [PAYMENT, other]
    assert service.introspect(whole["access_token"])["authorization_details"] == [PAYMENT, other]
    less = {**PAYMENT, "actions": ["status"]}
    answer = exchange(service, token, authorization_details=json.dumps([less])).get_json()
    assert answer["authorization_details"] == [less]
    second = gateway(app, acme, "second", of="gateway", authorization_details_types=["payment"])
    assert exchange(second, answer["access_token"]).get_json()["authorization_details"] == [less]
    for wider in (PAYMENT, other, {**PAYMENT, "creditor": "Mallory"}):
        refused(
            exchange(second, answer["access_token"], authorization_details=json.dumps([wider])),
            "invalid_authorization_details",
        )
