"""Put the newest saved results between the README's markers, each with the command that makes it.

.venv/bin/python -m benchmarks.publish
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from benchmarks import report, run, scale, wall

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- bench:start -->", "<!-- bench:end -->"
KINDS = (
    ("peer", run.COMMAND, report.table),
    ("scale", ".venv/bin/python -m benchmarks.scale --save", scale.table),
    ("wall", ".venv/bin/python -m benchmarks.wall --save", wall.table),
)


def block() -> str:
    """The newest table of each kind below its command; empty when nothing was saved yet."""
    parts = []
    for kind, command, table in KINDS:
        result = report.newest(kind)
        if result is not None:
            parts.append(f"```sh\n{command}\n```\n\n{table(result)}")
    return "\n\n".join(parts)


def publish(page: str, text: str) -> str | None:
    """`page` with `text` between the markers; None when it has none."""
    pattern = f"{re.escape(START)}.*?{re.escape(END)}"
    changed, count = re.subn(pattern, lambda _: f"{START}\n\n{text}\n\n{END}", page, flags=re.DOTALL)
    return changed if count else None


def main() -> int:
    text = block()
    if not text:
        print("There is no saved result: run `make bench` first.", file=sys.stderr)
        return 2
    changed = publish(README.read_text() if README.exists() else "", text)
    if changed is None:
        print(f"README.md has no markers {START} and {END}.", file=sys.stderr)
        return 2
    README.write_text(changed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
