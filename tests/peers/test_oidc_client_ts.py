"""oidc-client-ts as a browser application has it, in Chromium: the answers, the frames and CORS as they really are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.control import clients
from idp.tenants import Tenant, entered
from tests.peers.person import PASSWORD, USERNAME

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SCOPE = "openid profile email offline_access"
PAGE = b"""<!doctype html><title>spa</title><script src="/library.js"></script><script>
const settings = { authority: "ISSUER", client_id: "spa", redirect_uri: `${origin}/callback`, scope: "SCOPE",
  post_logout_redirect_uri: `${origin}/bye`, silent_redirect_uri: `${origin}/silent`, loadUserInfo: true,
  userStore: new oidc.WebStorageStateStore({ store: localStorage }), automaticSilentRenew: false,
  monitorSession: location.pathname === "/watch", checkSessionIntervalInSeconds: 1 };
const manager = new oidc.UserManager(settings);
if (location.pathname === "/silent") manager.signinSilentCallback();
if (location.pathname === "/watch") manager.events.addUserSignedOut(() => { document.title = "signed out"; });
</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; no page was loaded"),
]


@pytest.fixture(scope="module")
def origin(tenant: Tenant, issuer: str, packages: Path) -> Iterator[str]:
    """The origin of the application, which is registered with its addresses there."""
    library = (packages / "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js").read_bytes()
    page = PAGE.replace(b"ISSUER", issuer.encode()).replace(b"SCOPE", SCOPE.encode())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = self.path == "/library.js"
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if script else "text/html")
            self.end_headers()
            self.wfile.write(library if script else page)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://localhost:{server.server_address[1]}"
    _register(tenant, address)
    yield address
    server.shutdown()
    server.server_close()


def _register(tenant: Tenant, address: str) -> None:
    fields = {
        "redirect_uris": [f"{address}/callback", f"{address}/silent"], "scope": SCOPE, "require_consent": False,
        "post_logout_redirect_uris": [f"{address}/bye"], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }  # fmt: skip
    with entered(tenant):
        clients.create("spa", fields)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def page(chromium: Browser, origin: str) -> Iterator[Page]:
    """A window of its own on the application, signed in."""
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(f"{origin}/")
    opened.evaluate("void manager.signinRedirect()")
    opened.fill("#username", USERNAME)
    opened.fill("#password", PASSWORD)
    opened.click("#login-submit")
    opened.wait_for_url(f"{origin}/callback?*")
    opened.evaluate("manager.signinRedirectCallback()")
    yield opened
    context.close()


def user(page: Page) -> dict[str, Any]:
    """Whom the library keeps."""
    kept = "async () => { const { profile, ...more } = await manager.getUser(); return { ...more, ...profile }; }"
    return dict(page.evaluate(kept))


def test_sign_in_userinfo_refresh_and_sign_out(page: Page, origin: str, issuer: str) -> None:
    first = user(page)
    assert (first["iss"], first["aud"], first["name"], first["email_verified"]) == (
        issuer,
        "spa",
        "Alice Adams",
        True,
    )
    page.evaluate("manager.signinSilent()")
    second = user(page)
    assert second["sub"] == first["sub"]
    assert (
        second["access_token"] != first["access_token"] and second["refresh_token"] != first["refresh_token"]
    )
    page.evaluate("manager.revokeTokens(['access_token', 'refresh_token'])")
    assert "refresh_token" not in {name for name, value in user(page).items() if value}
    page.evaluate("void manager.signoutRedirect({ state: 'bye' })")
    page.click("#logout-confirm")
    page.wait_for_url(f"{origin}/bye?*")
    assert set(parse_qs(urlsplit(page.url).query)) == {"state"}
    page.evaluate("manager.signoutRedirectCallback()")
    assert page.evaluate("manager.getUser()") is None


def test_a_frame_renews_without_asking(page: Page) -> None:
    """prompt=none in a hidden frame, as applications without refresh tokens do."""
    first = user(page)
    page.evaluate("manager.signinSilent({ forceIframeAuth: true })")
    second = user(page)
    assert second["sub"] == first["sub"]
    assert second["access_token"] != first["access_token"]


def test_the_session_is_watched_and_its_end_is_noticed(page: Page, origin: str, issuer: str) -> None:
    """OpenID Connect Session Management 1.0, with a reader of another hand."""
    assert user(page)["session_state"]
    watching = page.context.new_page()
    watching.goto(f"{origin}/watch")
    assert watching.title() == "spa"
    page.goto(f"{issuer}/logout")
    page.click("#logout-confirm")
    watching.wait_for_function("document.title === 'signed out'", timeout=15_000)
