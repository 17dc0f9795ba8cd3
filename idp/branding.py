"""A tenant's look: from five design tokens to CSS custom properties that can be read.

Owns the colour arithmetic: contrast, the correction of a colour until it is legible, and the few custom
properties that a tenant may set. Leaves the storage of tokens to the tenant, and their place in a
page to `idp.web.pages`.

A tenant's own colour stays exactly as given where it fills a button; what stands on it, beside it and
around it is computed, so that every pair of text and background has at least 4.5:1 (WCAG 2.2 SC 1.4.3) and
every boundary that carries meaning at least 3:1 (SC 1.4.11), in light and in dark. Nothing a tenant typed
is ever copied into CSS: the text is made of recomputed hexadecimal colours, a bounded integer and constants.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from idp.fields import choice, parse

TEXT_CONTRAST = 4.5
EDGE_CONTRAST = 3.0
LINK_CONTRAST_DARK = 6.0
"""Saturated colours on near-black tire the eye at the legal minimum; links in the dark get a step more."""
DEFAULT_PRIMARY = "#3a54d6"

WHITE, INK, BLACK = "#ffffff", "#14171d", "#000000"
RADIUS_LIMIT = 24
APPEARANCES = ("auto", "light", "dark")
FONTS = {
    "system": 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif',
    "serif": 'ui-serif,Charter,"Bitstream Charter","Iowan Old Style",Georgia,Cambria,serif',
    "mono": 'ui-monospace,"Cascadia Code","SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace',
}

_HEX = re.compile(r"#[0-9a-fA-F]{6}\Z")


@dataclass(frozen=True, slots=True)
class Branding:
    """The validated design tokens that a tenant sets; never markup or a style sheet of its own."""

    primary_color: str | None = field(
        default=None,
        metadata={"doc": "Accent colour.", "pattern": r"#[0-9a-fA-F]{6}", "shape": "a colour like #0b5fff"},
    )
    logo_uri: str | None = field(
        default=None,
        metadata={
            "doc": "Logo, over https.",
            "pattern": r"https://[A-Za-z0-9.-]{1,253}(:\d{1,5})?/[A-Za-z0-9/._~%-]{0,512}",
            "shape": "an https address without query",
        },
    )
    radius: int = field(
        default=8, metadata={"doc": "Corner radius in px.", "least": 0, "ceiling": 24, "unit": "px"}
    )
    font: str = choice("system", ("system", "serif", "mono"), "Family of the text.")
    appearance: str = choice("auto", ("auto", "light", "dark"), "Light, dark, or as the device asks.")

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Branding:
        """The branding that `given` describes. Raises Invalid naming the field."""
        branding: Branding = parse(cls, "branding", given)
        return branding


PLAIN = Branding()
"""The look of whoever has chosen none."""


class Look(Protocol):
    """What this module reads of a tenant's branding (`Branding` has these fields)."""

    @property
    def primary_color(self) -> str | None: ...
    @property
    def radius(self) -> int: ...
    @property
    def font(self) -> str: ...
    @property
    def appearance(self) -> str: ...


@dataclass(frozen=True)
class Backdrop:
    """The two backgrounds of one colour scheme; `static/idp.css` repeats them (a test holds them equal)."""

    surface: str
    raised: str
    dark: bool


LIGHT = Backdrop(surface="#f5f6f8", raised="#ffffff", dark=False)
DARK = Backdrop(surface="#0d1015", raised="#161a21", dark=True)


@dataclass(frozen=True)
class Accent:
    """The colours that follow from one primary colour on one backdrop; each `#rrggbb`."""

    accent: str
    """Fill of the primary button: the tenant's colour, corrected only where no text could stand on it."""
    on_accent: str
    """Text on that fill, 4.5:1."""
    accent_hover: str
    """The fill under the pointer, 4.5:1 with the same text."""
    accent_edge: str
    """The button's outline, 3:1 with what surrounds it, so that a pale brand still has a visible button."""
    accent_text: str
    """Links and quiet emphasis on surface and raised, 4.5:1."""
    focus: str
    """The focus ring, 3:1 on surface and raised (SC 2.4.13)."""
    tint: str
    """A breath of the brand behind the card; carries no text but the page's own, 4.5:1 holds by lightness."""


def _channels(color: str) -> tuple[float, float, float]:
    """sRGB channels 0..1 of `#rrggbb`, linearised (IEC 61966-2-1)."""

    def linear(pair: str) -> float:
        value = int(pair, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return linear(color[1:3]), linear(color[3:5]), linear(color[5:7])


def luminance(color: str) -> float:
    """Relative luminance 0..1 of `#rrggbb` (WCAG 2.2, glossary)."""
    red, green, blue = _channels(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio 1..21 of two `#rrggbb` colours (WCAG 2.2, glossary)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _oklab(color: str) -> tuple[float, float, float]:
    """OKLab of `#rrggbb`: lightness moves in it keep the hue (Ottosson 2020)."""
    red, green, blue = _channels(color)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _hex(lightness: float, a: float, b: float) -> str:
    """`#rrggbb` of an OKLab colour; what lies outside sRGB is clipped channel by channel."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    channels = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )

    def encoded(value: float) -> int:
        value = min(1.0, max(0.0, value))
        value = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
        return round(255 * value)

    return "#" + "".join(f"{encoded(value):02x}" for value in channels)


def at_lightness(color: str, lightness: float, chroma: float = 1.0) -> str:
    """The colour at another OKLab lightness (0..1), its chroma multiplied by `chroma`."""
    _, a, b = _oklab(color)
    return _hex(min(1.0, max(0.0, lightness)), a * chroma, b * chroma)


def corrected(color: str, legible: Callable[[str], bool], *, lighter: bool) -> str:
    """The nearest lightness of `color`, lighter or darker, that satisfies `legible`; else white or black."""
    if legible(color):
        return color.lower()
    start, end = _oklab(color)[0], (1.0 if lighter else 0.0)
    for step in range(1, 101):
        distance = step / 100
        candidate = at_lightness(color, start + (end - start) * distance, 1 - 0.6 * distance)
        if legible(candidate):
            return candidate
    return WHITE if lighter else BLACK


def accent(primary: str, backdrop: Backdrop) -> Accent:
    """The seven colours that a primary colour (`#rrggbb`) becomes on a backdrop."""
    tint = at_lightness(primary, 0.25 if backdrop.dark else 0.945, 0.3 if backdrop.dark else 0.22)
    grounds = (backdrop.surface, backdrop.raised, tint)

    def readable(on: str) -> Callable[[str], bool]:
        return lambda color: contrast(color, on) >= TEXT_CONTRAST

    def stands_out(ratio: float) -> Callable[[str], bool]:
        return lambda color: all(contrast(color, ground) >= ratio for ground in grounds)

    # White is what eyes expect on a saturated button; ink only where white would not be read.
    on_accent = WHITE if contrast(primary, WHITE) >= TEXT_CONTRAST - 0.6 else INK
    white = on_accent == WHITE
    fill = corrected(primary, readable(on_accent), lighter=not white)
    lightness = _oklab(fill)[0]
    step = -0.05 if white or lightness > 0.93 else 0.04
    hover = corrected(at_lightness(fill, lightness + step), readable(on_accent), lighter=not white)
    return Accent(
        accent=fill,
        on_accent=on_accent,
        accent_hover=hover,
        accent_edge=corrected(fill, stands_out(EDGE_CONTRAST), lighter=backdrop.dark),
        accent_text=corrected(
            primary, stands_out(LINK_CONTRAST_DARK if backdrop.dark else TEXT_CONTRAST), lighter=backdrop.dark
        ),
        focus=corrected(primary, stands_out(EDGE_CONTRAST), lighter=backdrop.dark),
        tint=tint,
    )


def primary_of(look: Look) -> str:
    """The tenant's primary colour, or the default where it has none or it is not `#rrggbb`."""
    color = look.primary_color
    return color.lower() if isinstance(color, str) and _HEX.match(color) else DEFAULT_PRIMARY


def appearance_of(look: Look) -> str:
    """'auto', 'light' or 'dark'; anything else is 'auto'."""
    return look.appearance if look.appearance in APPEARANCES else "auto"


def declarations(colors: Accent) -> str:
    """The custom properties of one scheme, ready to stand between braces."""
    return "".join(
        f"--{field.name.replace('_', '-')}:{getattr(colors, field.name)};" for field in fields(colors)
    )


def css(look: Look) -> str:
    """The style sheet of one tenant: custom properties only, in light and dark, safe inside a style element.

    Never raises: a token outside its range falls back on the default, because a sign-in page must open.
    """
    primary = primary_of(look)
    light, dark = declarations(accent(primary, LIGHT)), declarations(accent(primary, DARK))
    radius = look.radius if isinstance(look.radius, int) and 0 <= look.radius <= RADIUS_LIMIT else 8
    font = FONTS.get(look.font, FONTS["system"])
    return (
        f":root{{--radius:{radius}px;--font:{font};{light}}}"
        f"@media(prefers-color-scheme:dark){{:root:not([data-appearance=light]){{{dark}}}}}"
        f":root[data-appearance=dark]{{{dark}}}"
    )
