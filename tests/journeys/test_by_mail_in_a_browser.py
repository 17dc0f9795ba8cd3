"""Signing in by a message as Chromium does it, over HTTP: the page that waits goes on by itself, or by its button."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from idp import config, directory
from idp.config import Settings
from idp.tenants import Tenant
from tests.attacks.acting import change, policy
from tests.journeys.test_by_mail import code_in
from tests.mailing import Sink, link, sink
from tests.playing import pkce
from tests.serving import served, until
from tests.spec.certification.session_management.test_frames_in_a_browser import application

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; nobody signed in by mail"
    ),
]


@pytest.fixture
def server() -> Iterator[Sink]:
    """A mail server."""
    with sink() as taken:
        yield taken


@pytest.fixture
def back(acme: Tenant) -> Iterator[str]:
    """Where the application awaits people."""
    with application() as rp:
        change(acme, "web", redirect_uris=[f"{rp.base}/callback"])
        yield f"{rp.base}/callback"


@pytest.fixture
def base(acme: Tenant, back: str, server: Sink, vault: Settings, tmp_path: Path) -> Iterator[str]:
    """A server for acme, whose people sign in by code and link; this process is its worker."""
    policy(acme, email_sign_in="code_and_link")
    more = {"IDP_SMTP_URL": server.url, "IDP_MAIL_FROM": "no-reply@id.example.com"}
    with served(vault, tmp_path / "serve.log", **more) as (_, port, _):
        address = f"http://localhost:{port}"
        config.use(vault.with_(base_url=address, smtp_url=server.url, mail_from="no-reply@id.example.com"))
        directory.forget_all()
        yield address
    config.use(vault)
    directory.forget_all()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """A browser, whose contexts are devices."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


def device(chromium: Browser, said: list[str], **options: Any) -> Page:
    """A page of a device of its own; `said`: what its console complains about."""
    page = chromium.new_context(**options).new_page()
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    return page


def asks(page: Page, base: str, back: str) -> None:
    """Ask an application for a sign-in, and there for a message."""
    request = {
        "client_id": "web", "response_type": "code", "scope": "openid", "redirect_uri": back,
        "code_challenge": pkce()[1], "code_challenge_method": "S256",
    }  # fmt: skip
    page.goto(f"{base}/t/acme/authorize?{urlencode(request)}")
    page.fill("#username", "alice")
    page.click("#login-email")
    page.wait_for_selector("#email[data-state=open]")


def arrived(page: Page, back: str) -> bool:
    """Whether the application got its code."""
    page.wait_for_url(f"{back}?*")
    return "code" in parse_qs(urlsplit(page.url).query)


def test_the_page_goes_on_by_itself_once_the_phone_has_confirmed(
    chromium: Browser, base: str, back: str, server: Sink
) -> None:
    said: list[str] = []
    desk, phone = device(chromium, said), device(chromium, said, viewport={"width": 390, "height": 800})
    asks(desk, base, back)
    [mail] = until(server.deliver)
    phone.goto(link(mail))
    assert phone.url == f"{base}/t/acme/sign-in" and "Acme Web" in (phone.text_content("h1") or "")
    phone.click("#sign-in-submit")
    phone.wait_for_selector("#sign-in[data-how=confirmed]")
    assert arrived(desk, back)
    assert not any(each["name"].endswith("_session") for each in phone.context.cookies())
    assert said == []


def test_without_scripts_the_button_does_it_and_so_does_the_code(
    chromium: Browser, base: str, back: str, server: Sink
) -> None:
    desk = device(chromium, [], java_script_enabled=False)
    asks(desk, base, back)
    [mail] = until(server.deliver)
    desk.click("#email-opened")
    assert "not confirmed yet" in (desk.text_content("#form-error") or "")
    desk.fill("#code", code_in(mail))
    desk.click("#email-submit")
    assert arrived(desk, back)
