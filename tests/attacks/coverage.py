"""Which known attacks have a test, which have none, and what those wait for.

`ids.txt` lists the ids; a test carries the ids that it covers at the front of its name, after `test_`. Told at
the end of a run of the whole suite.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import coverage as faults

HERE = Path(__file__).parent
_IDS = re.compile(r"^test((?:_[a-z]{2}\d{2})+)(?:_|$)")


@dataclass(frozen=True)
class Coverage:
    """`waiting`: capability → its ids without a test; `missing`: ids that wait for nothing and have none."""

    tested: dict[str, int]
    waiting: dict[str, list[str]]
    missing: list[str]
    unknown: list[str]


def listed() -> dict[str, str]:
    """Every id, with the capability it waits for or ""."""
    lines = (HERE / "ids.txt").read_text(encoding="utf-8").splitlines()
    found = (line.split("  ", 1) for line in lines if re.match(r"[A-Z]{2}\d{2}\b", line))
    return {parts[0].strip(): parts[1].strip() if len(parts) > 1 else "" for parts in found}


def named() -> dict[str, int]:
    """Every id that a test's name carries, and how many tests do; read without importing anything."""
    counts: dict[str, int] = {}
    for path in sorted(HERE.parent.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match = _IDS.match(node.name) if isinstance(node, ast.FunctionDef) else None
            for one in match[1].strip("_").upper().split("_") if match else ():
                counts[one] = counts.get(one, 0) + 1
    return counts


def measure() -> Coverage:
    """The list against the tests that there are."""
    ids, tests = listed(), named()
    waiting: dict[str, list[str]] = {}
    for one, capability in ids.items():
        if capability and one not in tests:
            waiting.setdefault(capability, []).append(one)
    missing = [one for one, capability in ids.items() if not capability and one not in tests]
    return Coverage(
        tested={one: tests[one] for one in ids if one in tests},
        waiting=waiting,
        missing=missing,
        unknown=sorted(set(tests) - set(ids)),
    )


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """Tell it after a run of everything, or of the attacks."""
    whole = config.args_source is not config.ArgsSource.ARGS
    if not whole and not any(Path(str(each)).resolve() in (HERE, HERE.parent) for each in config.args):
        return
    found = measure()
    total = sum(found.tested.values())
    terminalreporter.section("known attacks")
    terminalreporter.write_line(f"{len(found.tested)} of {len(listed())} ids are named by {total} tests")
    if found.missing:
        terminalreporter.write_line(f"without a test: {' '.join(found.missing)}")
    for capability, ids in sorted(found.waiting.items()):
        terminalreporter.write_line(f"waiting for {capability}: {' '.join(ids)}")
    faults.tell(terminalreporter)
