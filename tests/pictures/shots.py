"""Pictures of states in several views, with what axe-core and the browser's console say of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.pictures.window import DESKTOP, HEIGHT, PHONE, Look

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GRAVE = ("serious", "critical")
"""Impacts that nothing on any page may have."""
LEAVES = ("form-post",)
"""States that go on by themselves when they are loaded; pictured with scripts off."""


@dataclass(frozen=True, slots=True)
class View:
    """How a page is looked at."""

    name: str
    width: int
    scheme: str
    direction: str = "ltr"


VIEWS = (
    View("phone-light", PHONE, "light"),
    View("phone-dark", PHONE, "dark"),
    View("desktop-light", DESKTOP, "light"),
    View("desktop-dark", DESKTOP, "dark"),
    View("right-to-left", DESKTOP, "light", "rtl"),
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule of axe-core that a page breaks, and where."""

    rule: str
    impact: str
    help: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shot:
    """One state in one view."""

    state: str
    view: str
    picture: Path
    violations: tuple[Violation, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def grave(self) -> tuple[Violation, ...]:
        """The violations that fail."""
        return tuple(each for each in self.violations if each.impact in GRAVE)


def axe(page: Page) -> tuple[Violation, ...]:
    """What axe-core finds on the page that is open."""
    from axe_playwright_python.sync_playwright import Axe

    found: dict[str, Any] = Axe().run(page).response
    return tuple(
        Violation(
            each["id"], each["impact"] or "minor", each["help"],
            tuple(" ".join(map(str, node["target"])) for node in each["nodes"]),
        )
        for each in found["violations"]
    )  # fmt: skip


def taken(
    browser: Browser,
    pages: Mapping[str, tuple[str, str]],
    folder: Path,
    tell: Callable[[str], None] = lambda _line: None,
    views: Iterable[View] = VIEWS,
) -> list[Shot]:
    """A picture of each state in each view, in `folder`; `tell` hears of each view."""
    folder.mkdir(parents=True, exist_ok=True)
    shots: list[Shot] = []
    for view in views:
        tell(f"{view.name}: {len(pages)} pages")
        with Look(browser, pages, view.width, color_scheme=view.scheme, reduced_motion="reduce") as look:
            shots += [_one(look, state, view, folder) for state in pages if state not in LEAVES]
        still = {state: pages[state] for state in LEAVES if state in pages}
        with Look(browser, still, view.width, color_scheme=view.scheme, java_script_enabled=False) as look:
            shots += [_one(look, state, view, folder, scripts=False) for state in still]
    return shots


def _one(look: Look, state: str, view: View, folder: Path, *, scripts: bool = True) -> Shot:
    if view.direction == "rtl":
        html, csp = look.served[state]
        look.served[state] = re.sub(r'<html([^>]*?)( dir="\w+")?>', r'<html\1 dir="rtl">', html, count=1), csp
    look.errors.clear()
    page = look.open(state)
    page.set_viewport_size({"width": view.width, "height": HEIGHT})
    picture = folder / f"{state}.{view.name}.png"
    page.screenshot(path=picture, full_page=True, animations="disabled")
    return Shot(state, view.name, picture, axe(page) if scripts else (), tuple(look.errors))
