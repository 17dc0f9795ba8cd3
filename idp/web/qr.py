"""A QR code as one path of SVG: the page draws it inline, so that nothing is loaded and nothing is stored."""

from dataclasses import dataclass
from itertools import groupby

import segno

QUIET = 4
"""Modules of nothing around it, without which cameras do not find it (ISO/IEC 18004 §5.3.8)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The side of the square in modules, and what is dark in it as a path of strokes one module wide."""

    side: int
    path: str


def draw(text: str) -> Picture:
    """The QR code of a text, with the error correction that a screen needs: a stroke through each row of modules.

    Every picture of one size has as many words, so that two pages can be compared that differ in a secret alone.
    """
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix]
    lines = (f"M{QUIET} {y + QUIET}.5{_line(row)}" for y, row in enumerate(rows))
    return Picture(len(rows) + 2 * QUIET, "".join(lines))


def _line(row: list[int]) -> str:
    runs = [(dark, len(list(group))) for dark, group in groupby(row)]
    return "".join(f"h{length}" if dark else f"m{length}-0" for dark, length in runs)
