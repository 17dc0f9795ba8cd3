"""Chromium on the way to another provider and back: it holds each redirect against the page that it began at."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from idp.control import clients, tenants, upstreams
from tests.federating import PASSWORD, World
from tests.pictures.window import CHROMIUM, chromium
from tests.receiving import document_server
from tests.serving import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; nobody signed in"),
]


@pytest.fixture(scope="module")
def application(there: World) -> Iterator[str]:
    """Where the application `web` of acme listens, on an origin that corp's pages know nothing of."""
    with document_server() as served:
        served.text("<!doctype html><title>Application</title>", "text/html")
        address = f"http://localhost:{served.port}/callback"
        with tenants.enter("acme"):
            clients.update("web", {"redirect_uris": [address]})
            upstreams.update("corp", {"domains": ["corp.example"]})
        party = there.party("acme")
        party.redirect_uri = address
        until(lambda: 'id="login-organisation"' in party.authorize(there.browser()).text)
        yield address


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
@pytest.mark.parametrize("way", ["button", "address"])
def test_to_the_other_provider_and_back_to_the_application(
    there: World, application: str, scripts: bool, way: str
) -> None:
    party = there.party("acme")
    party.redirect_uri = application
    complaints: list[str] = []
    with chromium() as browser:
        page: Any = browser.new_context(java_script_enabled=scripts).new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        begin = party.metadata["authorization_endpoint"]
        page.goto(f"{begin}?{urlencode(party.request())}")
        if way == "button":
            page.get_by_role("link", name="Continue with Corp").click()
        else:
            page.fill("#username", "carol@corp.example")
            page.click("#login-organisation")
        page.wait_for_url(f"{there.issuer('corp')}/**")
        page.fill("#username", "carol")
        page.fill("#password", PASSWORD)
        page.click("#login-submit")
        page.wait_for_url(f"{application}?*")
        assert "code=" in page.url and page.title() == "Application"
    assert not complaints, complaints
