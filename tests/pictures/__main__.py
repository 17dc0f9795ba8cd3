"""Take a picture of every page in every state: `make pictures`, or `python -m tests.pictures FOLDER --only login`.

Status 0: nothing was found; 1: axe-core found something serious or critical, or a page complained on the console;
2: there is no Chromium.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.journeys import gallery
from tests.pictures import index
from tests.pictures.shots import taken
from tests.pictures.window import CHROMIUM, chromium


def main(arguments: Sequence[str] | None = None) -> int:
    """Take them; the exit status."""
    parser = argparse.ArgumentParser(prog="tests.pictures", description="Every page in every state.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/pictures"))
    parser.add_argument("--only", default="", help="beginnings of states, by commas")
    chosen = parser.parse_args(arguments)
    if not CHROMIUM.exists():
        print(f"pictures: there is no Chromium at {CHROMIUM}; apt-get install chromium", file=sys.stderr)
        return 2
    only = tuple(filter(None, chosen.only.split(",")))
    pages = {
        state: (html, csp) for state, html, csp in gallery.rendered() if not only or state.startswith(only)
    }
    with chromium() as browser:
        shots = taken(browser, pages, chosen.folder, lambda line: print(line, file=sys.stderr))
    path = index.write(chosen.folder, shots)
    for row in index.table(shots):
        print("  ".join(row))
    bad = [shot for shot in shots if shot.grave or shot.errors]
    print(f"{len(shots)} pictures of {len(pages)} states: {path}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
