"""Which known faults are played, by which tests, and which one machine cannot play; told after a run of everything.

A test carries the ids that it plays at the front of its name, after `test_`.
"""

import ast
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ALL = tuple(f"F{number:02}" for number in range(1, 35))
_IDS = re.compile(r"^test((?:_f\d{2})+)(?:_|$)")

ELSEWHERE = {
    "F03": "asynchronous failover is not supported; what follows one is test_not_before.py",
    "F28": "tests/journeys/test_serve.py and tests/unit/test_start_checks.py refuse each setting by its name",
}
"""Faults whose answer is tested under another name."""
NOT_PLAYED = {
    "F02": "a synchronous standby that is promoted needs a second cluster and an election",
    "F14": "a Redis that one node reaches and another does not needs two networks",
    "F26": "file handles that run out are not tried yet",
    "F32": "a proxy that sends a POST twice is not put before it; the product retries none",
    "F34": "a tenant of a million people beside ten thousand takes a benchmark, not a test",
}
"""Faults that nothing here plays, and why."""


def named() -> dict[str, int]:
    """Every id that a test's name carries, and how many tests do; read without importing anything."""
    counts: dict[str, int] = {}
    for path in sorted(HERE.parent.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match = _IDS.match(node.name) if isinstance(node, ast.FunctionDef) else None
            for one in match[1].strip("_").upper().split("_") if match else ():
                counts[one] = counts.get(one, 0) + 1
    return counts


def tell(terminalreporter: Any) -> None:
    """The list, one line for what is played and one for each that is not."""
    found = named()
    played = [one for one in ALL if one in found]
    terminalreporter.section("known faults")
    terminalreporter.write_line(f"{len(played)} of {len(ALL)} are played by {sum(found.values())} tests")
    for one, why in sorted({**ELSEWHERE, **NOT_PLAYED}.items()):
        terminalreporter.write_line(f"{one}: {why}")
