"""Passkeys as Chromium makes and shows them, with its virtual authenticator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from idp.config import Settings
from idp.tenants import Tenant
from tests.attacks.acting import change, policy
from tests.playing import PASSWORDS, pkce
from tests.serving import served
from tests.spec.certification.session_management.test_frames_in_a_browser import application

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; no passkey was made"),
]


@pytest.fixture
def back(acme: Tenant, globex: Tenant) -> Iterator[str]:
    """Where the application of both tenants awaits people."""
    with application() as rp:
        for tenant in (acme, globex):
            change(tenant, "web", redirect_uris=[f"{rp.base}/callback"])
        yield f"{rp.base}/callback"


@pytest.fixture
def base(acme: Tenant, back: str, vault: Settings, tmp_path: Path) -> Iterator[str]:
    """A server for acme, which wants two factors of everybody."""
    policy(acme, second_factor="required")
    with served(vault, tmp_path / "serve.log") as (_, port, _):
        yield f"http://localhost:{port}"


@pytest.fixture
def page() -> Iterator[Page]:
    """A page whose browser has a device that makes passkeys; what is said on the console is a failure."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        context = launched.new_context()
        opened = context.new_page()
        said: list[str] = []
        opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        yield opened
        assert said == []
        launched.close()


def _begin(page: Page, base: str, back: str, slug: str = "acme", **changes: str) -> None:
    request = {
        "client_id": "web", "response_type": "code", "scope": "openid", "redirect_uri": back,
        "code_challenge": pkce()[1], "code_challenge_method": "S256", **changes,
    }  # fmt: skip
    page.goto(f"{base}/t/{slug}/authorize?{urlencode(request)}")


def _back(page: Page, back: str) -> dict[str, list[str]]:
    page.wait_for_url(f"{back}?*")
    return parse_qs(urlsplit(page.url).query)


def _password(page: Page, slug: str = "acme") -> None:
    page.fill("#username", "alice")
    page.fill("#password", PASSWORDS[slug, "alice"])
    page.click("#login-submit")


def _plug_in(page: Page) -> Any:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable", {"enableUI": False})
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    return devtools


def test_a_passkey_is_made_in_the_sign_in_and_offered_by_autofill_later(
    page: Page, base: str, back: str
) -> None:
    _plug_in(page)
    _begin(page, base, back)
    _password(page)
    page.click("#enrol-passkey")
    page.wait_for_selector("#recovery-codes")
    assert page.locator("#recovery-codes li").count() == 10
    page.click("#codes-done")
    assert "code" in _back(page, back)

    page.context.clear_cookies()
    _begin(page, base, back)  # the device answers as soon as the field of the name offers it
    assert "code" in _back(page, back)

    _begin(page, base, back, prompt="login")
    assert "code" in _back(page, back)


def test_a_passkey_is_a_second_factor_and_another_tenants_is_none(page: Page, base: str, back: str) -> None:
    devtools = _plug_in(page)
    _begin(page, base, back)
    _password(page)
    page.click("#enrol-passkey")
    page.click("#codes-done")
    assert "code" in _back(page, back)
    # The same host, another tenant: the browser has a passkey to offer, and it opens nothing there.
    _begin(page, base, back, "globex")
    page.wait_for_selector("#form-error")
    assert "That passkey does not work here" in page.inner_text("#form-error")
    assert "globex" in page.url

    devtools.send("WebAuthn.disable")
    page.context.clear_cookies()
    _begin(page, base, back)
    _password(page)
    page.wait_for_selector("#mfa")
    assert page.is_visible("#mfa-submit") and page.is_visible("#mfa-recovery")


def test_without_a_script_the_pages_have_no_passkeys_and_work(page: Page, base: str, back: str) -> None:
    plain = page.context.browser
    assert plain is not None
    context = plain.new_context(java_script_enabled=False)
    opened = context.new_page()
    _begin(opened, base, back)
    assert opened.is_hidden("#login-passkey")
    _password(opened)
    opened.wait_for_selector("#enrol")
    assert opened.is_hidden("#enrol-passkey") and opened.is_visible("#enrol-submit")
