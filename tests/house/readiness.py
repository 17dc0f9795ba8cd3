"""The table of checks as it stands in docs/operations.md; `python -m tests.house.readiness` writes it there.

`make check` holds the two equal, and looks at those checks that need no deployment.
"""

import sys
from pathlib import Path

from idp.config import Settings
from idp.control.readiness import run
from idp.control.readiness.check import Check
from idp.control.readiness.table import CHECKS
from idp.control.readiness.world import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- checks -->\n", "<!-- end of checks -->"
ANYWHERE = ("IDP-SEC-019",)
"""Checks that any checkout can look at."""


def table() -> str:
    """One row a check."""
    head = "| code | holds | level | stops | why | what to do |\n|---|---|---|---|---|---|\n"
    return head + "".join(_row(check) for check in CHECKS)


def _row(check: Check) -> str:
    level = f"{check.level}, on loopback a warning" if check.mild else str(check.level)
    stops = ", ".join(map(str, check.stops))
    return f"| `{check.code}` | {check.name} | {level} | {stops} | {check.reason} | {check.fix} |\n"


def written() -> str:
    """The table as the page has it."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0]


def main(arguments: list[str]) -> int:
    """Exit status: 0 when the page is right and what can be looked at here holds."""
    if "--check" not in arguments:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
        return 0
    wrong = (
        []
        if written() == table()
        else ["docs/operations.md lacks the table: python -m tests.house.readiness"]
    )
    found = run.look([check for check in CHECKS if check.code in ANYWHERE], World(Settings(), opened=False))
    wrong += [f"{each.check.code}: {each.words} {each.check.fix}" for each in found if not each.ok]
    print("\n".join(wrong) or f"{len(CHECKS)} checks of readiness are documented")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
