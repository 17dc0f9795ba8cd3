"""OpenID Connect Core 1.0 §3.1.2.1 `display`: a page, a popup, a touch screen, and whatever else is asked for."""

import re
from typing import Any

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import policy
from tests.playing import RelyingParty, Visit, local, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme, "asks")


def layout(html: str) -> str:
    """The words of the page's body that say how it is laid out."""
    found = re.search(r'<body class="([^"]*)">', html)
    assert found is not None
    return found[1].strip()


@pytest.mark.parametrize("display", ["popup", "touch"])
def test_3_1_2_1_every_page_of_the_sign_in_is_laid_out_for_its_window(rp: RelyingParty, display: str) -> None:
    visit = rp.authorize(display=display, scope="openid profile")
    assert layout(visit.html) == display
    again = visit.login("alice", password="wrong")
    assert 'role="alert"' in again.html and layout(again.html) == display
    consent = again.login("alice")
    assert 'id="consent"' in consent.html and layout(consent.html) == display
    assert consent.consent().code


@pytest.mark.parametrize("display", ["page", "wap", "POPUP", "popup ", "popup touch", "", "<script>", None])
def test_3_1_2_1_anything_else_is_a_page(rp: RelyingParty, display: str | None) -> None:
    visit = rp.authorize(display=display)
    assert visit.answer.status_code == 200 and layout(visit.html) == ""


def test_3_1_2_1_an_error_has_the_layout_that_its_address_names(rp: RelyingParty) -> None:
    answer = rp.authorize(display="popup", redirect_uri="https://elsewhere.example/").answer
    assert answer.status_code == 400 and layout(answer.get_data(as_text=True)) == "popup"


def test_rfc9126_a_pushed_request_says_it_as_well(rp: RelyingParty) -> None:
    pushed = rp.post("par", rp.request(display="touch", scope="openid profile")).get_json()
    browser = rp.browser()
    path = f"/t/acme/authorize?client_id=asks&request_uri={pushed['request_uri']}"
    assert layout(Visit(rp, browser, browser.get(path)).follow().html) == "touch"


@pytest.mark.parametrize("link", ["forgot", "register"])
def test_3_1_2_1_so_are_the_pages_beside_it_for_the_browser_that_signs_in(
    app: Any, acme: Tenant, link: str
) -> None:
    rp = relying_party(app, policy(acme, registration="open"))
    visit = rp.authorize(display="popup", ui_locales="de")
    found = re.search(rf'id="{link}" href="([^"]*)"', visit.html)
    assert found is not None
    visit.page = local(found[1].replace("&amp;", "&"), acme)
    visit.answer = visit.browser.get(visit.page)
    for page in (visit.html, visit.submit(username="", email="").html):
        assert layout(page) == "popup" and '<html lang="de"' in page
    elsewhere = rp.browser().get(visit.page).get_data(as_text=True)
    assert layout(elsewhere) == "" and '<html lang="en"' in elsewhere


def test_3_1_2_1_prompt_create_leads_to_such_a_page(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, policy(acme, registration="open"))
    html = rp.authorize(prompt="create", display="touch", ui_locales="fr").html
    assert layout(html) == "touch" and '<html lang="fr"' in html


def test_discovery_3_lists_what_makes_a_difference(app: Any, acme: Tenant) -> None:
    told = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert told["display_values_supported"] == ["page", "popup", "touch"]
