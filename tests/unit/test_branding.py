"""Colours of a tenant: legible whatever it chose, and nothing of what it typed reaches CSS."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import pytest

from idp import branding, paths
from idp.branding import DARK, LIGHT, Accent, Backdrop, accent, contrast, css
from idp.tenants import Branding

GRID = tuple(
    "#" + "".join(channels) for channels in itertools.product(("00", "40", "80", "bf", "ff"), repeat=3)
)
BACKDROPS = pytest.mark.parametrize("backdrop", [LIGHT, DARK], ids=["light", "dark"])


@dataclass(frozen=True)
class Typed:
    """A branding as an attacker would have it, past every check."""

    primary_color: str | None = None
    radius: object = 8
    font: str = "system"
    appearance: str = "auto"


def tokens(scheme: str) -> dict[str, str]:
    """The custom properties of the style sheet in one scheme ('light', 'dark', 'forced')."""
    sheet = (paths.static() / "idp.css").read_text()
    start = {
        "light": r":root \{",
        "dark": r":root:not\(\[data-appearance=light\]\) \{",
        "forced": r":root\[data-appearance=dark\] \{",
    }
    block = re.search(start[scheme] + r"(.*?)\n\s*\}", sheet, re.S)
    assert block is not None
    own = dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", block[1]))
    return own if scheme == "light" else tokens("light") | own


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#ffffff", "#ffffff") == 1


@BACKDROPS
@pytest.mark.parametrize("primary", GRID)
def test_wcag_1_4_3_every_primary_colour_gives_legible_text(primary: str, backdrop: Backdrop) -> None:
    made = accent(primary, backdrop)
    assert contrast(made.on_accent, made.accent) >= 4.5
    assert contrast(made.on_accent, made.accent_hover) >= 4.5
    for ground in (backdrop.surface, backdrop.raised, made.tint):
        assert contrast(made.accent_text, ground) >= 4.5
        assert contrast(made.focus, ground) >= 3
        assert contrast(made.accent_edge, ground) >= 3


@BACKDROPS
@pytest.mark.parametrize("primary", GRID)
def test_wcag_1_4_3_page_text_stands_on_every_tint(primary: str, backdrop: Backdrop) -> None:
    own = tokens("dark" if backdrop.dark else "light")
    tint = accent(primary, backdrop).tint
    assert contrast(own["text"], tint) >= 4.5
    assert contrast(own["muted"], tint) >= 4.5


@pytest.mark.parametrize("primary", ["#0b5fff", "#ffd400", "#00a86b", "#ffffff", "#000000", "#ff7a00"])
def test_a_brand_that_can_carry_text_is_kept_as_it_is(primary: str) -> None:
    assert accent(primary, LIGHT).accent == accent(primary, DARK).accent == primary


@pytest.mark.parametrize("scheme", ["light", "dark", "forced"])
def test_wcag_1_4_3_style_sheet_pairs(scheme: str) -> None:
    own = tokens(scheme)
    texts = [
        (text, ground)
        for text in ("text", "muted", "accent-text")
        for ground in ("surface", "raised", "tint")
    ]
    texts += [("text", "sunken"), ("muted", "sunken"), ("on-accent", "accent"), ("on-accent", "accent-hover")]
    texts += [(kind, ground) for kind in ("danger", "ok", "warn") for ground in ("raised", f"{kind}-soft")]
    poor = {pair: contrast(own[pair[0]], own[pair[1]]) for pair in texts}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}
    edges = {
        (edge, "raised"): contrast(own[edge], own["raised"])
        for edge in ("field-line", "focus", "accent-edge", "danger")
    }
    assert {pair: ratio for pair, ratio in edges.items() if ratio < 3} == {}


def test_style_sheet_says_the_same_as_the_arithmetic() -> None:
    for scheme, backdrop in (("light", LIGHT), ("dark", DARK), ("forced", DARK)):
        own, made = tokens(scheme), accent(branding.DEFAULT_PRIMARY, backdrop)
        assert (own["surface"], own["raised"]) == (backdrop.surface, backdrop.raised)
        assert {name: own[name.replace("_", "-")] for name in Accent.__dataclass_fields__} == made.__dict__


@pytest.mark.parametrize(
    "typed",
    [
        Typed("red;}</style><script>alert(1)</script>"),
        Typed("#fff"),
        Typed("#0b5fff\n"),
        Typed("url(https://exfil.example)"),
        Typed(radius="8px;}@import url(//evil)"),
        Typed(radius=-1),
        Typed(radius=9999),
        Typed(font="x;}input[value^=a]{background:url(//evil)}"),
        Typed(appearance='auto"onload=x'),
    ],
)
def test_ox04_nothing_typed_reaches_the_style_sheet(typed: Typed) -> None:
    assert css(typed) == css(Branding())  # type: ignore[arg-type]
    assert branding.appearance_of(typed) == "auto"  # type: ignore[arg-type]


def test_tokens_reach_the_style_sheet() -> None:
    sheet = css(Branding(primary_color="#0B5FFF", radius=20, font="serif"))
    assert "--accent:#0b5fff;" in sheet and "--radius:20px;" in sheet and "ui-serif" in sheet
    assert "<" not in sheet and "url(" not in sheet
    assert sheet.count("{") == sheet.count("}")
