"""Frames as a real browser loads them: the one that watches the session, and those of a sign-out."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from idp.config import Settings
from idp.tenants import Tenant
from tests.attacks.acting import change, policy
from tests.playing import PASSWORDS, pkce
from tests.receiving import wrap
from tests.serving import served
from tests.spec.certification.leaving import STATE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WATCH = """<!doctype html><title>waiting</title><iframe src="FRAME" id="op"></iframe><script>
addEventListener("message", (event) => { document.title = event.data; });
const ask = () => document.getElementById("op").contentWindow.postMessage(MESSAGE, ORIGIN);
document.getElementById("op").addEventListener("load", ask);
</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; no frame was loaded"),
]


@dataclass
class Application:
    """A relying party's web server: it says `heard` and keeps what was asked."""

    port: int = 0
    scheme: str = "http"
    asked: list[str] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """Its origin."""
        return f"{self.scheme}://localhost:{self.port}"

    def queries(self, path: str) -> list[dict[str, list[str]]]:
        """The queries with which a path was asked."""
        return [parse_qs(urlsplit(each).query) for each in self.asked if urlsplit(each).path == path]


@contextmanager
def application(tls: ssl.SSLContext | None = None) -> Iterator[Application]:
    """A relying party that answers every page, and those in `pages` with what stands there."""
    made = Application(scheme="http" if tls is None else "https")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            body = made.pages.get(urlsplit(self.path).path, "<title>heard</title>").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    wrap(server, tls)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def rp(acme: Tenant) -> Iterator[Application]:
    policy(acme, session_management=True)
    with application() as made:
        change(
            acme, "web", redirect_uris=[f"{made.base}/callback"], post_logout_redirect_uris=[f"{made.base}/bye"],
            frontchannel_logout_uri=f"{made.base}/frontchannel", frontchannel_logout_session_required=True,
        )  # fmt: skip
        yield made


@pytest.fixture
def issuer(rp: Application, vault: Settings, tmp_path: Path) -> Iterator[str]:
    with served(vault, tmp_path / "serve.log") as (_, port, _):
        yield f"http://localhost:{port}/t/acme"


@pytest.fixture
def chromium() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


def sign_in(page: Page, issuer: str, rp: Application) -> dict[str, str]:
    """Sign alice in; the parameters that came back."""
    request = {
        "client_id": "web", "response_type": "code", "scope": "openid", "redirect_uri": f"{rp.base}/callback",
        "code_challenge": pkce()[1], "code_challenge_method": "S256",
    }  # fmt: skip
    page.goto(f"{issuer}/authorize?{urlencode(request)}")
    page.fill("#username", "alice")
    page.fill("#password", PASSWORDS["acme", "alice"])
    page.click("#login-submit")
    page.wait_for_url(f"{rp.base}/callback?*")
    return dict(parse_qsl(urlsplit(page.url).query))


def sign_out(page: Page, issuer: str, rp: Application) -> None:
    """Sign out as the application asks, and arrive where it wants."""
    asked = {"client_id": "web", "post_logout_redirect_uri": f"{rp.base}/bye", "state": STATE}
    page.goto(f"{issuer}/logout?{urlencode(asked)}")
    page.click("#logout-confirm")
    page.wait_for_url(f"{rp.base}/bye?*", wait_until="commit")
    assert parse_qs(urlsplit(page.url).query) == {"state": [STATE]}


def judged(page: Page, issuer: str, rp: Application, message: str) -> str:
    """What the provider's frame answers to a message of the application's page."""
    origin = issuer.removesuffix("/t/acme")
    page_ = WATCH.replace("FRAME", f"{issuer}/check-session").replace("ORIGIN", json.dumps(origin))
    rp.pages["/watch"] = page_.replace("MESSAGE", json.dumps(message))
    page.goto(f"{rp.base}/watch")
    page.wait_for_function("document.title !== 'waiting'")
    return page.title()


def test_oidcc_session_management_rp_initiated_logout_in_a_browser(
    chromium: Browser, issuer: str, rp: Application
) -> None:
    page = chromium.new_context().new_page()
    told = sign_in(page, issuer, rp)["session_state"]
    assert judged(page, issuer, rp, f"web {told}") == "unchanged"
    assert judged(page, issuer, rp, f"other {told}") == "changed"
    for broken in ("web", "", f"web {told} more", "web x", "web x.", f"web {told}.y", "web <img src=x>.y"):
        assert judged(page, issuer, rp, broken) in {"error", "changed"}
    sign_out(page, issuer, rp)
    assert judged(page, issuer, rp, f"web {told}") == "changed"


def test_lo08_an_unknown_application_cannot_even_frame_it(
    chromium: Browser, issuer: str, rp: Application
) -> None:
    with application() as stranger:
        page = chromium.new_context().new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text))
        stranger.pages["/watch"] = f'<iframe src="{issuer}/check-session"></iframe>'
        page.goto(f"{stranger.base}/watch", wait_until="load")
        assert any("frame-ancestors" in each for each in complaints), complaints


@pytest.mark.parametrize("script", [True, False])
def test_oidcc_frontchannel_rp_initiated_logout_in_a_browser(
    chromium: Browser, issuer: str, rp: Application, script: bool
) -> None:
    """With a script the page goes on when the frames have loaded, without one a few seconds later."""
    page = chromium.new_context(java_script_enabled=script).new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    sign_in(page, issuer, rp)
    sign_out(page, issuer, rp)
    (told,) = rp.queries("/frontchannel")
    assert told["iss"] == [issuer] and len(told["sid"][0]) == 22 and set(told) == {"iss", "sid"}
    assert not [each for each in complaints if "Content Security Policy" in each], complaints
