"""Signing out: only the person does it, it reaches everything, and it leads only where it was agreed."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from idp.tenants import Tenant
from tests.playing import RelyingParty, inputs, relying_party

BACK = "http://localhost:8001/"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def signed_in(rp: RelyingParty) -> tuple[Any, dict[str, Any]]:
    browser = rp.browser()
    return browser, rp.exchange(rp.authorize(browser).login("alice").code)


def question(browser: Any, **params: str) -> Any:
    return browser.get("/t/acme/logout?" + urlencode(params))


def confirm(browser: Any, page: Any, **changes: str) -> Any:
    return browser.post(
        "/t/acme/logout/confirm", data={**inputs(page.get_data(as_text=True)), "action": "confirm", **changes}
    )


def inside(rp: RelyingParty, browser: Any) -> bool:
    return "code" in rp.authorize(browser, prompt="none").params


def test_lo01_a_link_asks_and_changes_nothing(rp: RelyingParty, database: Any) -> None:
    browser, tokens = signed_in(rp)
    for params in (
        {},
        {"client_id": "web"},
        {"id_token_hint": tokens["id_token"]},
        {"post_logout_redirect_uri": BACK, "client_id": "web"},
    ):
        page = question(browser, **params)
        assert page.status_code == 200 and 'id="logout-form"' in page.get_data(as_text=True)
        browser.post("/t/acme/logout", data=params)
    assert (
        inside(rp, browser)
        and database("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL")[0][0] == 0
    )


@pytest.mark.parametrize("csrf", [None, "", "x", "other browser", "login page"])
def test_lo01_br07_the_answer_must_come_from_the_question(rp: RelyingParty, csrf: str | None) -> None:
    browser, _ = signed_in(rp)
    token = csrf or ""
    if csrf == "other browser":
        other, _ = signed_in(rp)
        token = inputs(question(other).get_data(as_text=True))["csrf"]
    elif csrf == "login page":
        token = inputs(rp.authorize(browser, prompt="login").html)["csrf"]
    form = {"action": "confirm"} if csrf is None else {"action": "confirm", "csrf": token}
    assert browser.post("/t/acme/logout/confirm", data=form).status_code == 403
    assert browser.get("/t/acme/logout/confirm?action=confirm").status_code == 405
    assert inside(rp, browser)


def test_lo01_a_foreign_origin_is_refused(rp: RelyingParty) -> None:
    browser, _ = signed_in(rp)
    form = {**inputs(question(browser).get_data(as_text=True)), "action": "confirm"}
    for headers in ({"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert browser.post("/t/acme/logout/confirm", data=form, headers=headers).status_code == 403
    assert inside(rp, browser)


@pytest.mark.parametrize(
    "uri",
    [
        BACK + "x",
        BACK[:-1],
        BACK + "?x",
        "http://localhost:8001@evil.test/",
        "https://evil.test/",
        "//evil.test",
        "javascript:alert(1)",
        "http://localhost:8001/callback",
        "/",
        "http://localhost:8002/",
    ],
)
def test_lo03_an_unregistered_way_back_is_a_page(rp: RelyingParty, uri: str) -> None:
    browser, tokens = signed_in(rp)
    for who in ({"client_id": "web"}, {"id_token_hint": tokens["id_token"]}, {}):
        answer = question(browser, post_logout_redirect_uri=uri, **who)
        assert answer.status_code == 400 and "Location" not in answer.headers
        assert 'id="logout-error"' in answer.get_data(as_text=True)
    page = question(browser, client_id="web", post_logout_redirect_uri=BACK)
    assert confirm(browser, page, post_logout_redirect_uri=uri).status_code == 400
    assert inside(rp, browser)


def test_lo03_without_knowing_who_asks_there_is_no_way_back(rp: RelyingParty) -> None:
    answer = question(rp.browser(), post_logout_redirect_uri=BACK)
    assert answer.status_code == 400 and "Location" not in answer.headers


def test_lo03_a_hint_must_be_an_id_token_of_ours(
    app: Any, acme: Tenant, globex: Tenant, rp: RelyingParty
) -> None:
    browser, tokens = signed_in(rp)
    head, _, signature = tokens["id_token"].split(".")
    foreign = relying_party(app, globex).sign_in()["id_token"]
    for hint in (tokens["access_token"], foreign, "x", f"{head}.e30.{signature}", "eyJhbGciOiJub25lIn0.e30."):
        answer = question(browser, id_token_hint=hint, post_logout_redirect_uri=BACK)
        assert answer.status_code == 400 and "Location" not in answer.headers, hint
    other = relying_party(app, acme, "spa").sign_in(scope="openid")["id_token"]
    assert question(browser, id_token_hint=other, client_id="web").status_code == 400


def test_lo03_an_expired_hint_is_still_a_hint(rp: RelyingParty, frozen: Any) -> None:
    with frozen() as clock:
        browser, tokens = signed_in(rp)
        clock.tick(1800)
        done = confirm(
            browser,
            question(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BACK, state="s"),
        )
    assert done.headers["Location"] == BACK + "?state=s"


def test_lo06_signing_out_reaches_everything_that_ends_with_the_session(
    rp: RelyingParty, services: Any, acme: Tenant
) -> None:
    browser = rp.browser()
    ending = rp.exchange(rp.authorize(browser, scope="openid").login("alice").code)
    lasting = rp.exchange(rp.authorize(browser).code)
    cookie = browser.get_cookie("idp_acme_session")
    page = question(browser)
    assert page.headers["Cache-Control"] == "no-store" and "Acme Web" in page.get_data(as_text=True)
    confirm(browser, page)
    other = rp.browser()
    other.set_cookie("idp_acme_session", cookie.value)
    assert not inside(rp, browser) and not inside(rp, other)
    assert rp.userinfo(ending["access_token"]).status_code == 401
    assert rp.refresh(ending["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert rp.refresh(lasting["refresh_token"]).status_code == 200


def test_lo06_a_code_of_the_session_that_ended_is_dead(rp: RelyingParty) -> None:
    browser, _ = signed_in(rp)
    code = rp.authorize(browser).code
    confirm(browser, question(browser))
    assert rp.redeem(code).get_json()["error"] == "invalid_grant"


def test_lo07_nobody_comes_back_after_a_sign_out(rp: RelyingParty) -> None:
    browser, _ = signed_in(rp)
    confirm(browser, question(browser))
    bob = rp.verified(rp.exchange(rp.authorize(browser).login("bob").code)["id_token"], "web")["sub"]
    confirm(browser, question(browser))
    assert not inside(rp, browser)
    again = rp.verified(rp.exchange(rp.authorize(browser).login("bob").code)["id_token"], "web")["sub"]
    assert again == bob


def test_lo07_an_old_question_signs_out_who_is_there_now_and_nobody_else(rp: RelyingParty) -> None:
    browser, _ = signed_in(rp)
    old = question(browser)
    confirm(browser, old)
    assert confirm(browser, old).status_code == 303 and confirm(browser, old).headers["Location"].endswith(
        "/logout/done"
    )


def test_a_post_from_the_application_comes_back_as_a_get_with_the_cookies(rp: RelyingParty) -> None:
    """A browser keeps SameSite=Lax cookies back from a cross-site POST: saying `signed out` would be a lie."""
    stranger = rp.browser()
    form = {"client_id": "web", "post_logout_redirect_uri": BACK, "state": "s"}
    answer = stranger.post("/t/acme/logout", data=form, headers={"Origin": "http://localhost:8001"})
    assert answer.status_code == 303 and answer.headers["Location"].startswith(
        rp.tenant.issuer + "/logout?client_id=web"
    )
    assert quote(BACK, safe="") in answer.headers["Location"]


def test_cancelling_changes_nothing(rp: RelyingParty) -> None:
    browser, _ = signed_in(rp)
    page = question(browser, client_id="web", post_logout_redirect_uri=BACK)
    answer = confirm(browser, page, action="cancel")
    assert (
        answer.status_code == 303
        and answer.headers["Location"] == rp.tenant.issuer + "/"
        and inside(rp, browser)
    )
