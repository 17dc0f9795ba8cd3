"""OpenID Connect RP-Initiated Logout 1.0, module by module."""

from typing import Any
from urllib.parse import urlencode

import pytest

from idp.tenants import Tenant
from tests.playing import RelyingParty, inputs, query, relying_party

BACK = "http://localhost:8001/"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def leave(rp: RelyingParty, method: str = "get", hint: bool = True, **params: str) -> tuple[Any, Any]:
    """Sign in, ask for the sign-out, confirm: the browser and the last answer."""
    browser = rp.browser()
    tokens = rp.exchange(rp.authorize(browser).login("alice").code)
    sent = {"id_token_hint": tokens["id_token"], **params} if hint else params
    path = "/t/acme/logout"
    page = browser.get(f"{path}?{urlencode(sent)}") if method == "get" else browser.post(path, data=sent)
    if page.status_code != 200:
        return browser, page
    return browser, browser.post(
        f"{path}/confirm", data={**inputs(page.get_data(as_text=True)), "action": "confirm"}
    )


def out(rp: RelyingParty, browser: Any) -> bool:
    return rp.authorize(browser, prompt="none").params.get("error") == "login_required"


@pytest.mark.parametrize("method", ["get", "post"])
def test_2_hint_redirect_and_state(rp: RelyingParty, method: str) -> None:
    browser, answer = leave(rp, method, post_logout_redirect_uri=BACK, state="s" * 128)
    assert answer.status_code == 303 and answer.headers["Location"].startswith(BACK)
    assert query(answer.headers["Location"]) == {"state": ["s" * 128]} and out(rp, browser)


def test_2_without_state_nothing_is_added(rp: RelyingParty) -> None:
    browser, answer = leave(rp, post_logout_redirect_uri=BACK)
    assert answer.headers["Location"] == BACK and out(rp, browser)


def test_2_client_id_stands_in_for_the_hint(rp: RelyingParty) -> None:
    browser, answer = leave(rp, hint=False, client_id="web", post_logout_redirect_uri=BACK)
    assert answer.headers["Location"] == BACK and out(rp, browser)


@pytest.mark.parametrize(
    "params", [{}, {"state": "only"}, {"client_id": "web"}, {"ui_locales": "de", "logout_hint": "alice"}]
)
@pytest.mark.parametrize("hint", [True, False])
def test_2_without_a_way_back_the_page_says_it_is_done(
    rp: RelyingParty, params: dict[str, str], hint: bool
) -> None:
    browser, answer = leave(rp, hint=hint, **params)
    assert answer.headers["Location"] == rp.tenant.issuer + "/logout/done"
    page = browser.get("/t/acme/logout/done").get_data(as_text=True)
    assert 'id="logged-out"' in page and out(rp, browser)


@pytest.mark.parametrize("uri", [BACK + "?extra=1", BACK + "other", "https://evil.example/"])
def test_3_1_a_bad_way_back_is_a_page(rp: RelyingParty, uri: str) -> None:
    browser, answer = leave(rp, post_logout_redirect_uri=uri)
    assert (
        answer.status_code == 400
        and 'id="logout-error"' in answer.get_data(as_text=True)
        and not out(rp, browser)
    )


@pytest.mark.parametrize("hint", ["eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "x", "a.b.c"])
def test_4_a_bad_hint_is_a_page(rp: RelyingParty, hint: str) -> None:
    browser, answer = leave(rp, id_token_hint=hint, post_logout_redirect_uri=BACK)
    assert answer.status_code == 400 and "Location" not in answer.headers and not out(rp, browser)


def test_2_nobody_signed_in_goes_straight_back(rp: RelyingParty) -> None:
    answer = rp.browser().get(
        "/t/acme/logout?" + urlencode({"client_id": "web", "post_logout_redirect_uri": BACK, "state": "s"})
    )
    assert answer.status_code == 303 and answer.headers["Location"] == BACK + "?state=s"
