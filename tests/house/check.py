"""`make check`: everything that can be said about the code without running the product's own tests.

Each step is a name and a command; all run, and the exit status is 1 when one of them refused. `make check
ARGS="types layers"` runs those alone.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
BIN = Path(PYTHON).parent

STEPS: dict[str, list[str | Path]] = {
    "style": [BIN / "ruff", "check", "."],
    "format": [BIN / "ruff", "format", "--check", "."],
    "types": [BIN / "mypy"],
    "layers": [BIN / "lint-imports", "--no-logo"],
    "migrations": [PYTHON, "-m", "tests.house.migrations_match"],
    "readiness": [PYTHON, "-m", "tests.house.readiness", "--check"],
    "dependencies": [BIN / "deptry", "--no-ansi", "."],
    "dead": [BIN / "vulture"],
    "licences": [PYTHON, "-m", "tests.house.licences"],
    "advisories": [PYTHON, "-m", "tests.house.advisories"],
}


def run(name: str) -> bool:
    """Run one step; its output is shown only when it refuses."""
    began = time.monotonic()
    plain = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(STEPS[name], cwd=TOP, env=plain, capture_output=True, text=True, check=False)
    verdict = "ok" if done.returncode == 0 else "REFUSED"
    words = (done.stdout + done.stderr).strip()
    said = (done.stdout.strip() or words).splitlines()
    last = said[-1] if said and done.returncode == 0 else ""
    print(f"{name:13} {verdict:8} {time.monotonic() - began:5.1f} s  {last[:90]}", flush=True)
    if done.returncode != 0:
        print("\n".join(f"    {line}" for line in words.splitlines()), flush=True)
    return done.returncode == 0


def main(names: list[str]) -> int:
    """Exit status: 0 when every step is content."""
    unknown = set(names) - set(STEPS)
    if unknown:
        print(f"no such step: {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}", file=sys.stderr)
        return 2
    refused = [name for name in names or STEPS if not run(name)]
    print(f"refused: {', '.join(refused)}" if refused else "all checks passed")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
