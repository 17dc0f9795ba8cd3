"""`make pictures`: each state in each view, and a page that is bad is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from idp.paths import templates
from tests.journeys import gallery
from tests.pictures import index
from tests.pictures.shots import VIEWS, taken
from tests.pictures.window import CHROMIUM, chromium

PNG = b"\x89PNG\r\n\x1a\n"
BAD = (
    '<!doctype html><html lang="en"><title>bad</title><main><h1>Bad</h1><button></button>'
    '<p style="color:#aaa;background:#fff">pale</p></main><script>console.error("oh no")</script></html>',
    "default-src 'self' 'unsafe-inline'",
)


def test_every_template_of_a_page_has_a_state() -> None:
    pictured = {page for page, _ in gallery.states().values()}
    hosted = {path.stem for path in (templates() / "hosted").glob("*.html")}
    account = {f"account/{path.stem}" for path in (templates() / "account").glob("*.html")}
    assert (hosted | account) - pictured == {"account/base"}


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; no picture was taken")
def test_states_are_pictured_and_what_is_bad_is_told(tmp_path: Path) -> None:
    pytest.importorskip("playwright.sync_api")
    pages = {state: (html, csp) for state, html, csp in gallery.rendered() if state in ("login", "form-post")}
    with chromium() as browser:
        shots = taken(browser, pages | {"bad": BAD}, tmp_path, views=VIEWS[:1] + VIEWS[-1:])
    assert len(shots) == 6 and all(shot.picture.read_bytes().startswith(PNG) for shot in shots)
    bad = [shot for shot in shots if shot.state == "bad"]
    for shot in bad:
        assert {"button-name", "color-contrast"} <= {each.rule for each in shot.grave}
        assert shot.errors == ("oh no",)
    assert not any(shot.violations or shot.errors for shot in shots if shot.state != "bad")
    text = index.write(tmp_path, shots).read_text(encoding="utf-8")
    assert "3 states, 2 views, 6 pictures" in text and "login.right-to-left.png" in text and "oh no" in text
