"""RFC 8707: resource indicators."""

from typing import Any
from urllib.parse import urlencode

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import refused
from tests.attacks.assertions import basic
from tests.playing import RelyingParty, Visit, relying_party

API = "https://api.example.com"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def test_2_one_resource_narrows_audience_and_scope(rp: RelyingParty, acme: Tenant) -> None:
    tokens = rp.sign_in(scope="openid orders.read", resource=API)
    assert set(rp.verified(tokens["access_token"], API)["aud"]) == {API, acme.issuer}
    only = rp.sign_in(scope="orders.read", resource=API, nonce=None)
    assert rp.verified(only["access_token"], API)["aud"] == API and "id_token" not in only


def test_2_several_resources_in_one_request(app: Any, rp: RelyingParty, acme: Tenant) -> None:
    browser = rp.browser()
    request = [*rp.request(scope="openid orders.read").items(), ("resource", API), ("resource", acme.issuer)]
    visit = Visit(rp, browser, browser.get("/t/acme/authorize?" + urlencode(request))).follow().login("alice")
    assert set(rp.verified(rp.exchange(visit.code)["access_token"], API)["aud"]) == {API, acme.issuer}


@pytest.mark.parametrize("resource", ["https://other.example", "x", API + "/", API + "#f"])
def test_2_an_unknown_resource_is_invalid_target(rp: RelyingParty, resource: str) -> None:
    assert rp.authorize(scope="openid orders.read", resource=resource).params["error"] == "invalid_target"
    code = rp.authorize(scope="openid orders.read").login("alice").code
    refused(rp.redeem(code, resource=resource), "invalid_target")


def test_2_2_a_refresh_chooses_one_and_keeps_all(rp: RelyingParty, acme: Tenant) -> None:
    tokens = rp.sign_in(scope="openid orders.read offline_access")
    narrow = rp.refresh(tokens["refresh_token"], resource=API).get_json()
    assert rp.verified(narrow["access_token"], API)["scope"]
    refused(rp.refresh(narrow["refresh_token"], resource="https://other.example"), "invalid_target")
    whole = rp.refresh(narrow["refresh_token"]).get_json()
    assert set(rp.verified(whole["access_token"], API)["aud"]) == {API, acme.issuer}


def test_2_2_several_resources_at_the_token_endpoint(app: Any, rp: RelyingParty, acme: Tenant) -> None:
    token = rp.sign_in(scope="openid orders.read offline_access")["refresh_token"]
    form = urlencode(
        [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("resource", API),
            ("resource", acme.issuer),
        ]
    )
    answer = app.test_client().post(
        "/t/acme/token",
        data=form,
        content_type="application/x-www-form-urlencoded",
        headers=basic("web", rp.secret or ""),
    )
    assert set(rp.verified(answer.get_json()["access_token"], API)["aud"]) == {API, acme.issuer}
    many = urlencode([("grant_type", "client_credentials"), *(("resource", f"{API}/{n}") for n in range(9))])
    refused(
        app.test_client().post(
            "/t/acme/token",
            data=many,
            content_type="application/x-www-form-urlencoded",
            headers=basic("nightly", "acme-nightly-secret-0123456789-0123456789"),
        ),
        "invalid_target",
    )


def test_2_a_scope_of_another_resource_falls_away_and_nothing_left_is_an_error(
    rp: RelyingParty, acme: Tenant
) -> None:
    assert rp.sign_in(scope="openid orders.read", resource=acme.issuer)["scope"] == "openid"
    assert rp.authorize(scope="orders.read", resource=acme.issuer).params["error"] == "invalid_scope"
