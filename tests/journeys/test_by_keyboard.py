"""A whole visit by keyboard alone: sign in, change the password, see the sessions, sign out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from idp.config import Settings
from idp.tenants import Tenant
from tests.pictures.window import CHROMIUM, chromium
from tests.playing import PASSWORDS
from tests.serving import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NEW = "seven lanterns above a quiet harbour"
MOST = 60
"""Steps of the Tab key after which something counts as out of reach."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; no key was pressed"),
]


@pytest.fixture
def browser() -> Iterator[Browser]:
    pytest.importorskip("playwright.sync_api")
    with chromium() as launched:
        yield launched


@pytest.fixture
def issuer(acme: Tenant, vault: Settings, tmp_path: Path) -> Iterator[str]:
    with served(vault, tmp_path / "serve.log") as (_, port, _):
        yield f"http://localhost:{port}/t/acme"


def reach(page: Page, selector: str) -> None:
    """Press Tab until what `selector` names has the focus, and see that the focus can be seen."""
    for _ in range(MOST):
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            break
        page.keyboard.press("Tab")
    else:
        raise AssertionError(f"{selector} on {page.url} is out of the keyboard's reach")
    seen = "getComputedStyle(document.activeElement)"
    assert page.evaluate(f"{seen}.outlineStyle !== 'none' || {seen}.boxShadow !== 'none'"), selector


def enter(page: Page, selector: str) -> None:
    """Go to a link or a button and press it."""
    reach(page, selector)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def fill(page: Page, selector: str, text: str) -> None:
    """Go to a field and type."""
    reach(page, selector)
    page.keyboard.type(text)


def sign_in(page: Page, password: str) -> None:
    fill(page, "#username", "alice")
    fill(page, "#password", password)
    with page.expect_navigation(url="**/account"):
        page.keyboard.press("Enter")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_whole_visit_by_keyboard_alone(browser: Browser, issuer: str, scripts: bool) -> None:
    page, other = (browser.new_context(java_script_enabled=True).new_page() for _ in range(2))
    if not scripts:
        # Evaluating what has the focus needs the engine; the product's own scripts do not load.
        page.route("**/*.js*", lambda route: route.abort())
    for each in (other, page):
        each.goto(f"{issuer}/account")
        sign_in(each, PASSWORDS["acme", "alice"])
    enter(page, "nav a[href$='account/security']")
    enter(page, "a[href$='account/password']")
    fill(page, "#current_password", PASSWORDS["acme", "alice"])
    fill(page, "#new_password", NEW)
    enter(page, "#password-submit")
    assert page.locator("[role=status]").count() == 1
    other.reload()
    assert other.locator("#login-form").count() == 1
    enter(page, "nav a[href$='account/sessions']")
    assert page.locator("h1").inner_text() == "Where you are signed in"
    enter(page, "#account-sign-out")
    enter(page, "#logout-confirm")
    page.goto(f"{issuer}/account")
    sign_in(page, NEW)
