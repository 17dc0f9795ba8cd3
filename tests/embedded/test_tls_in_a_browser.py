"""`idp up --tls` as a person meets it: a browser that has imported the authority, and one that has not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.running import Up, free_ports, up

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; nobody signed in"),
    pytest.mark.skipif(
        not shutil.which("certutil"), reason="no certutil (libnss3-tools); nothing was imported"
    ),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A deployment with its demonstration, over https."""
    with up(tmp_path_factory.mktemp("tls") / "home", "--tls", "--demo", port=free_ports()) as started:
        started.wait_ready()
        yield started
        assert started.end() == 0


@contextmanager
def browser(home: Path, authority: Path | None) -> Iterator[Page]:
    """A window of a Chromium whose person trusts `authority` beside those of the system."""
    sync_api = pytest.importorskip("playwright.sync_api")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
    if authority is not None:
        trust = ["-A", "-t", "C,,", "-n", "local", "-i", str(authority)]
        subprocess.run(["certutil", "-d", f"sql:{store}", *trust], check=True)
    environment = {**os.environ, "HOME": str(home)}
    with sync_api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS, env=environment)
        yield launched.new_page()
        launched.close()


def test_who_imported_the_authority_signs_in_and_comes_back_to_plain_http(
    running: Up, tmp_path: Path
) -> None:
    application = f"http://localhost:{running.port + 1}/"
    with browser(tmp_path, running.home / "keys" / "local-ca.crt") as page:
        page.goto(f"{application}sign-in")
        assert page.url.startswith(f"https://localhost:{running.port}/t/acme/")
        page.fill("#username", "alice")
        page.fill("#password", "correct horse battery staple")
        page.click("button[value=login]")
        page.wait_for_url(application)
        assert "Alice Adams" in page.content()
        ours = [cookie for cookie in page.context.cookies() if "idp_acme" in cookie["name"]]
        assert ours
        assert all(cookie["secure"] and cookie["name"].startswith("__Host-") for cookie in ours)
        page.goto(application)
        assert page.url == application, "the provider's HSTS would hold the application to https"


def test_who_did_not_is_warned(running: Up, tmp_path: Path) -> None:
    with browser(tmp_path, None) as page, pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto(f"https://localhost:{running.port}/")
