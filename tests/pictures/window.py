"""A Chromium window that is answered from the gallery: each page under its own policy, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idp import paths
from tests.journeys import gallery

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NARROW, PHONE, DESKTOP = 320, 390, 1280
"""Widths of windows, in px."""
HEIGHT = 800
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """One Chromium for the length of the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            yield launched
        finally:
            launched.close()


class Look:
    """A window that keeps what the browser complained about and what was posted."""

    def __init__(
        self,
        browser: Browser,
        pages: Mapping[str, tuple[str, str]],
        width: int = DESKTOP,
        **options: Any,
    ) -> None:
        """`pages`: html and Content-Security-Policy by state; `options`: of the browser's context."""
        self.context = browser.new_context(viewport={"width": width, "height": HEIGHT}, **options)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.errors: list[str] = []
        """Those of the complaints that are errors, and errors of scripts."""
        self.posted: list[tuple[str, str | None]] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.route("**/*", self._answer)
        self.served = dict(pages)

    def open(self, state: str) -> Page:
        """The page of a state, loaded."""
        self.page.goto(f"{gallery.BASE}/look/{state}", wait_until="load")
        return self.page

    def _said(self, said: Any) -> None:
        self.complaints.append(said.text)
        # A logo of a host that does not answer is a state of its own; nothing here answers for any other host.
        if said.type == "error" and "Failed to load resource" not in said.text:
            self.errors.append(said.text)

    def _answer(self, route: Route) -> None:
        """A page by its state, a static file, or the record of a form that was posted."""
        path = Path(urlsplit(route.request.url).path)
        if route.request.method == "POST":
            self.posted.append((route.request.url, route.request.post_data))
            route.fulfill(status=200, content_type="text/html", body="<title>posted</title>")
        elif path.parent.name == "static":
            route.fulfill(body=(paths.static() / path.name).read_bytes(), content_type=_TYPES[path.suffix])
        elif route.request.url == gallery.LOGO:
            route.fulfill(body=(paths.static() / "favicon.svg").read_bytes(), content_type=_TYPES[".svg"])
        elif path.name in self.served:
            html, csp = self.served[path.name]
            route.fulfill(body=html, content_type="text/html", headers={"Content-Security-Policy": csp})
        else:
            route.abort()

    def __enter__(self) -> Look:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
