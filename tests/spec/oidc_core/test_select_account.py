"""prompt=select_account (OpenID Connect Core 1.0 §3.1.2.1): the person says as whom they go on."""

from typing import Any
from urllib.parse import urlencode

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import client, party
from tests.playing import RelyingParty, Visit, inputs, relying_party


def subject(rp: RelyingParty, visit: Visit) -> dict[str, Any]:
    return rp.verified(rp.exchange(visit.code)["id_token"], rp.client_id)


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


@pytest.fixture
def browser(rp: RelyingParty) -> Any:
    """A browser in which alice is signed in."""
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    return browser


def test_the_same_person_goes_on_without_a_password(rp: RelyingParty, browser: Any, frozen: Any) -> None:
    before = subject(rp, rp.authorize(browser))
    visit = rp.authorize(browser, prompt="select_account")
    assert "alice" in visit.html and 'id="login-form"' not in visit.html
    after = subject(rp, visit.choose())
    assert (after["sub"], after["auth_time"]) == (before["sub"], before["auth_time"])


def test_somebody_else_signs_in(rp: RelyingParty, browser: Any) -> None:
    before = subject(rp, rp.authorize(browser))
    visit = rp.authorize(browser, prompt="select_account").choose("other")
    assert 'id="login-form"' in visit.html and "confirm that it is you" not in visit.html
    assert subject(rp, visit.login("bob"))["sub"] != before["sub"]


def test_who_is_not_signed_in_has_nothing_to_choose(rp: RelyingParty) -> None:
    assert subject(rp, rp.authorize(prompt="select_account").login("alice"))["sub"]


def test_login_beside_it_asks_for_the_password(rp: RelyingParty, browser: Any) -> None:
    assert 'id="login-form"' in rp.authorize(browser, prompt="select_account login").html


def test_consent_beside_it_comes_after_it(rp: RelyingParty, browser: Any) -> None:
    assert rp.authorize(browser, prompt="select_account consent").choose().consent().code


def test_whoever_cancels_chose_nothing(rp: RelyingParty, browser: Any) -> None:
    got = rp.authorize(browser, prompt="select_account").choose("cancel").params
    assert got["error"] == "account_selection_required" and got["iss"] == rp.tenant.issuer


def test_it_is_asked_each_time_and_stands_for_this_request_alone(rp: RelyingParty, browser: Any) -> None:
    assert rp.authorize(browser, prompt="select_account").choose().code
    assert 'id="account-form"' in rp.authorize(browser, prompt="select_account").html


def test_a_form_of_another_page_chooses_nothing(
    app: Any, rp: RelyingParty, browser: Any, globex: Tenant
) -> None:
    visit = rp.authorize(browser, prompt="select_account")
    form = {**inputs(visit.html), "action": "continue"}
    for changed in ({**form, "csrf": "x"}, {name: form[name] for name in form if name != "csrf"}):
        assert browser.post(visit.page, data=changed).status_code == 403
    other = app.test_client().post(visit.page, data=form)
    assert other.status_code in (303, 400) and "code=" not in other.headers.get("Location", "")
    elsewhere = visit.page.replace("/t/acme/", "/t/globex/")
    assert "code=" not in browser.post(elsewhere, data=form).headers.get("Location", "")
    assert visit.choose().code


def test_the_page_is_due_or_leads_on(app: Any, acme: Tenant, rp: RelyingParty, browser: Any) -> None:
    asking = party(app, acme, client(acme, "asking", secret="s" * 43, require_consent=True), "s" * 43)
    visit = asking.authorize(browser)
    query = visit.page.rpartition("?")[2]
    answer = browser.get(f"/t/acme/interaction/account?{query}")
    assert answer.status_code == 303 and "/interaction/consent?" in answer.headers["Location"]
    assert browser.get(f"/t/acme/interaction/account?{urlencode({'tx': 'none'})}").status_code == 400
