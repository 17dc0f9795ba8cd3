"""The certification plan 3rd-party-initiated login (OpenID Connect Core 1.0 §4), module by module."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import policy, refused
from tests.spec.rfc7591.registering import CALLBACK, GOOD, ask, manage, party, registered

BEGIN = "https://app.example.com/begin"


@pytest.fixture
def op(acme: Tenant) -> Tenant:
    return policy(acme, client_registration="open", require_pkce="public", tenant_claims_in_id_token=False)


def test_oidcc_3rd_party_init_login(app: Any, op: Tenant) -> None:
    told = registered(app, op, initiate_login_uri=BEGIN)
    assert told["initiate_login_uri"] == BEGIN
    answer = manage(app, op, told, "GET")
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    assert answer.get_json()["initiate_login_uri"] == BEGIN


def test_oidcc_3rd_party_init_login_nohttps(app: Any, op: Tenant) -> None:
    body = {**GOOD, "initiate_login_uri": "http://app.example.com/begin"}
    refused(ask(app, op, "POST", None, body), "invalid_client_metadata")


@pytest.mark.parametrize(
    "wrong", [f"{BEGIN}#x", "javascript:alert(1)", "https://user@app.example.com/", 5, [BEGIN], ""]
)
def test_an_initiate_login_uri_that_is_none(app: Any, op: Tenant, wrong: Any) -> None:
    refused(ask(app, op, "POST", None, {**GOOD, "initiate_login_uri": wrong}), "invalid_client_metadata")


def test_4_the_client_begins_where_somebody_else_sent_the_person(app: Any, op: Tenant) -> None:
    told = registered(app, op, initiate_login_uri=BEGIN)
    # Somebody else sends the browser to the client, which finds the issuer in the address and begins by itself.
    handed = {"iss": op.issuer, "login_hint": "alice", "target_link_uri": CALLBACK}
    sent = f"{told['initiate_login_uri']}?{urlencode(handed)}"
    given = dict(parse_qsl(urlsplit(sent).query))
    assert given["iss"] == op.issuer
    rp = party(app, op, told)
    visit = rp.authorize(scope="openid", login_hint=given["login_hint"])
    assert 'value="alice"' in visit.html
    got = visit.login("alice").consent()
    assert got.params["iss"] == given["iss"] and rp.exchange(got.code)["id_token"]
