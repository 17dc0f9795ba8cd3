"""Hosted pages in a real browser: nothing is cut off, everything can be reached, and the policy holds.

The pages are answered from memory under their own Content-Security-Policy; nothing leaves the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from idp.web.pages import render
from tests.journeys import gallery
from tests.pictures.shots import LEAVES, axe
from tests.pictures.window import CHROMIUM, DESKTOP, NARROW, PHONE, Look, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = {state: (html, csp) for state, html, csp in gallery.rendered()}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; the pages were not looked at"
    ),
]

# Colours as painted: text against the nearest opaque background, for every element with text of its own.
CONTRAST = """() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return {rgb: m.slice(0, 3), a: m[3] ?? 1}; };
  const lum = (rgb) => rgb.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const poor = [];
  for (const e of document.body.querySelectorAll("*")) {
    if (!e.checkVisibility() || e.matches(".unseen")) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    let up = e, ground = null;
    while (up && !ground) {
      const c = parse(getComputedStyle(up).backgroundColor); if (c.a === 1) ground = c.rgb; up = up.parentElement;
    }
    const [low, high] = [lum(parse(getComputedStyle(e).color).rgb), lum(ground)].sort((a, b) => a - b);
    const ratio = (high + .05) / (low + .05);
    if (ratio < 4.5) poor.push([e.tagName, e.className, e.textContent.trim().slice(0, 30), ratio]);
  }
  return poor;
}"""

SMALL_TARGETS = """() => [...document.querySelectorAll(
    "button, summary, input:not([type=hidden]), .brand a, .links a, .rows a")]
  .filter(e => e.checkVisibility()).map(e => [e.id || e.className || e.textContent, e.getBoundingClientRect().height])
  .filter(([, height]) => height < 43.5)"""

CUT_OFF = """() => [...document.querySelectorAll("body *")]
  .filter(e => e.checkVisibility() && !e.closest(".scroll, .unseen, svg"))
  .filter(e => { const box = e.getBoundingClientRect(); return box.left < -1 || box.right > innerWidth + 1; })
  .map(e => [e.tagName, e.className, e.textContent.trim().slice(0, 30)])"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the module."""
    pytest.importorskip("playwright.sync_api")
    with chromium() as launched:
        yield launched


@dataclass
class Findings:
    """What is wrong with which state; each page is loaded once and measured in every way."""

    poor: dict[str, object] = field(default_factory=dict)
    cut_off: dict[str, object] = field(default_factory=dict)
    small: dict[str, object] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    axe: dict[str, object] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def measure(self, state: str, page: Page) -> None:
        """Look at the page that is open in both schemes, four widths and twice the text size."""
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.note(self.poor, f"{state} {scheme}", page.evaluate(CONTRAST))
            self.note(self.axe, f"{state} {scheme}", axe(page))
        for width in (NARROW, PHONE, DESKTOP):
            page.set_viewport_size({"width": width, "height": 800})
            self.note(self.cut_off, f"{state} {width} px", page.evaluate(CUT_OFF))
        self.note(self.small, state, page.evaluate(SMALL_TARGETS))
        page.set_viewport_size({"width": 2 * NARROW, "height": 800})
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        self.note(self.cut_off, f"{state} 200 %", page.evaluate(CUT_OFF))

    @staticmethod
    def note(where: dict[str, object], what: str, found: object) -> None:
        """Keep what was found, if anything was."""
        if found:
            where[what] = found


@pytest.fixture(scope="module")
def findings(browser: Browser) -> Findings:
    """Every page measured."""
    found = Findings()
    with Look(browser, PAGES) as look:
        for state in sorted(set(PAGES) - set(LEAVES)):
            found.measure(state, look.open(state))
        for state in LEAVES:
            look.open(state)
        found.complaints = [said for said in look.complaints if "Content Security Policy" in said]
        found.errors = look.errors
    return found


def test_axe_core_finds_nothing_on_any_page(findings: Findings) -> None:
    assert findings.axe == {}


def test_no_page_says_an_error_on_the_console(findings: Findings) -> None:
    assert findings.errors == []


def test_wcag_1_4_3_every_text_on_every_page(findings: Findings) -> None:
    assert findings.poor == {}


def test_wcag_1_4_4_and_1_4_10_nothing_is_cut_off(findings: Findings) -> None:
    assert findings.cut_off == {}


def test_wcag_2_5_8_targets_are_large_enough_for_a_thumb(findings: Findings) -> None:
    assert findings.small == {}


def test_br11_no_page_breaks_its_own_policy(findings: Findings) -> None:
    assert findings.complaints == []


def test_the_script_shows_a_password_and_hides_it_again(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        page = look.open("login")
        page.fill("#password", "correct horse")
        page.click("[data-reveal]")
        assert page.get_attribute("#password", "type") == "text"
        page.click("[data-reveal]")
        assert page.get_attribute("#password", "type") == "password"
        assert page.evaluate("document.activeElement.id") == "password"


def test_the_keyboard_goes_through_the_form_in_reading_order(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        page = look.open("login")
        page.wait_for_function("document.activeElement.id === 'username'")
        seen = [page.evaluate("document.activeElement.id")]
        for _ in range(6):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.id"))
        assert [name for name in seen if name] == [
            "username",
            "password",
            "login-submit",
            "login-cancel",
            "client-policy",
            "client-tos",
        ]


def test_wcag_2_4_11_focus_is_visible(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        page = look.open("login")
        page.focus("#password")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "login-submit"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"


def test_a_mistake_takes_the_focus(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        for state in ("login-failed", "login-nothing", "login-stale"):
            look.open(state).wait_for_function("document.activeElement.id === 'form-error'")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_sign_in_needs_no_script(browser: Browser, scripts: bool) -> None:
    with Look(browser, PAGES, java_script_enabled=scripts) as look:
        page = look.open("login")
        page.fill("#username", "alice")
        page.fill("#password", "pass word")
        page.press("#password", "Enter")
        page.wait_for_url("**/login")
        assert [body for _, body in look.posted] == ["csrf=x&username=alice&password=pass+word&action=login"]


def test_cancel_needs_no_fields(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        look.open("login").click("#login-cancel")
        assert [body for _, body in look.posted] == ["csrf=x&username=&password=&action=cancel"]


def test_form_post_goes_on_by_itself(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        with look.page.expect_request("http://localhost:8001/callback"):
            look.page.goto(f"{gallery.BASE}/look/form-post")
        assert look.posted == [("http://localhost:8001/callback", "code=c0de&state=a+b%2B%7B%22%3C%25")]


def test_form_post_goes_on_by_its_button_and_past_a_field_named_submit(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        look.served["named"] = render(
            "form_post",
            redirect_uri="http://localhost:8001/callback",
            parameters=(("submit", "1"), ("action", "2")),
        )
        with look.page.expect_request("http://localhost:8001/callback"):
            look.page.goto(f"{gallery.BASE}/look/named")
        assert look.posted == [("http://localhost:8001/callback", "submit=1&action=2")]
    with Look(browser, PAGES, java_script_enabled=False) as look:
        look.open("form-post").click("#form-post-continue")
        assert look.posted == [("http://localhost:8001/callback", "code=c0de&state=a+b%2B%7B%22%3C%25")]


def test_a_logo_that_does_not_load_leaves_its_letter(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        page = look.open("login-broken-logo")
        page.wait_for_function("document.querySelectorAll('.tile img[hidden]').length === 2")


def test_right_to_left_mirrors_the_page(browser: Browser) -> None:
    with Look(browser, PAGES) as look:
        page = look.open("login-rtl")
        reveal, field = page.locator(".reveal").bounding_box(), page.locator("#password").bounding_box()
        assert reveal is not None and field is not None and reveal["x"] - field["x"] < 4


def test_core_3_1_2_1_a_popup_has_no_room_to_spare(browser: Browser) -> None:
    box = "document.getElementById('login').getBoundingClientRect()"
    with Look(browser, PAGES) as look:
        page = look.open("login")
        page.set_viewport_size({"width": 480, "height": 640})
        as_page = page.evaluate(f"{box}.bottom")
        page = look.open("login-popup-plain")
        assert page.evaluate(f"{box}.bottom") < as_page - 40
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "all of it is in sight"
        card = "getComputedStyle(document.querySelector('.card'))"
        assert (
            page.evaluate(f"{card}.borderTopWidth") == "0px" and page.evaluate(f"{card}.boxShadow") == "none"
        )


def test_core_3_1_2_1_touch_has_targets_for_fingers(browser: Browser) -> None:
    with Look(browser, PAGES, has_touch=True) as look:
        page = look.open("login-touch")
        sizes = page.evaluate("""() => [...document.querySelectorAll(".button, form input:not([type=hidden])")]
            .filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect().height)""")
        assert len(sizes) > 5 and min(sizes) >= 56
        first, second = (page.locator(f"#login-{name}").bounding_box() for name in ("submit", "organisation"))
        assert first is not None and second is not None
        assert second["y"] - (first["y"] + first["height"]) >= 16
        page.tap("#username")
        assert page.evaluate("document.activeElement.id") == "username"


def test_high_contrast_reduced_motion_and_paper(browser: Browser) -> None:
    with Look(browser, PAGES, forced_colors="active", reduced_motion="reduce") as look:
        page = look.open("login")
        style = "getComputedStyle(document.getElementById('login-submit'))"
        assert page.evaluate(f"{style}.borderTopWidth") == "1px"
        assert page.evaluate(f"{style}.transitionDuration") in ("0s", "")
        page.emulate_media(media="print", forced_colors="none")
        assert not page.is_visible("#login-form") and page.is_visible("h1")


def test_the_tenant_decides_the_appearance(browser: Browser) -> None:
    with Look(browser, PAGES, color_scheme="light") as look:
        page = look.open("login-dark-tenant")
        assert (
            page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
            == "rgb(22, 26, 33)"
        )
        assert page.evaluate(
            "getComputedStyle(document.querySelector('.button-primary')).backgroundColor"
        ) == ("rgb(0, 168, 107)")
