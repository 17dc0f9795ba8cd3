"""`make bench`: this provider and its peer side by side, row by row.

.venv/bin/python -m benchmarks.run [--quick] [--rows jwks,refresh] [--seconds N]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks import report
from benchmarks.load import Run, play, request
from benchmarks.machine import LOAD_CORE, SERVER_CORE, CannotMeasure, description, pin, require
from benchmarks.rows import ROWS, Row, measure
from benchmarks.target import HERE, Server, constant, ours, peer, peer_runtime

COMMAND = "make bench"


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def ceilings(folder: Path, seconds: int) -> dict[str, float]:
    """What wrk itself reaches at best against a constant answer: repeating, and reading each answer."""
    with constant(folder) as server:
        server.place()
        one = request("GET", "/", f"127.0.0.1:{server.port}")
        plain = max(play(server.port, [one], seconds=seconds, connections=64).rate for _ in range(3))
        requests = [one] * min(int(plain * seconds), 100_000)
        once = max(
            play(server.port, requests, seconds=seconds, connections=16, once=200).rate for _ in range(3)
        )
    return {"plain": round(plain), "once": round(once)}


def bare_argon2(seconds: int) -> Run:
    command = [
        "taskset",
        "-c",
        str(SERVER_CORE),
        sys.executable,
        "-m",
        "benchmarks.argon2_rate",
        str(seconds),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, timeout=seconds + 60)
    if done.returncode:
        raise CannotMeasure(f"The bare Argon2id rate could not be taken: {done.stderr.strip()[-200:]}")
    return Run(bad=0, **json.loads(done.stdout))


def one_row(
    row: Row, left: Server, right: Server, rounds: int, seconds: int, ceiling: dict[str, float]
) -> dict[str, Any]:
    """A row's rounds, interleaved; a row that cannot be measured says why and does not stop the others."""
    mine: list[Run] = []
    theirs: list[Run] = []
    failed = None
    try:
        for _ in range(rounds):
            mine.append(measure(row, left, seconds))
            theirs.append(bare_argon2(seconds) if row.peer == "argon2id" else measure(row, right, seconds))
    except (CannotMeasure, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        failed = f"{type(error).__name__}: {error}" if not isinstance(error, CannotMeasure) else str(error)
    ok = failed is None
    ratio = report.middle(mine).rate / report.middle(theirs).rate if ok else None
    top = max((run.rate for run in [*mine, *theirs]), default=0.0)
    entry = {
        "name": row.name,
        "title": row.title,
        "connections": row.connections,
        "peer_name": row.peer,
        "ours": report.middle(mine).as_dict() if ok else None,
        "peer": report.middle(theirs).as_dict() if ok else None,
        "ratio": None if ratio is None else round(ratio, 3),
        "goal": row.goal,
        "reached": None if ratio is None or row.goal is None else ratio >= row.goal,
        "limited": top >= report.LIMITED * ceiling["plain" if row.once is None else "once"],
        "foreign": round(max((run.foreign for run in [*mine, *theirs]), default=0.0), 3),
        "rounds": {"ours": [run.as_dict() for run in mine], "peer": [run.as_dict() for run in theirs]},
        "failed": failed,
    }
    if ok:
        mark = " (limited by the load)" if entry["limited"] else ""
        rates = [report.middle(runs).rate for runs in (mine, theirs)]
        say(f"{row.title:28} {rates[0]:>10,.1f} {rates[1]:>10,.1f}  {ratio:.2f}×{mark}")
    else:
        say(f"{row.title:28} not measured: {failed}")
    return entry


def versions(left: Server) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("granian", "flask", "authlib", "joserfc", "argon2-cffi"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    lock = json.loads((HERE / "peers" / "oidc-provider" / "package-lock.json").read_text())
    found["oidc-provider"] = lock["packages"]["node_modules/oidc-provider"]["version"]
    node = subprocess.run([peer_runtime(), "--version"], capture_output=True, text=True)
    found["node"] = node.stdout.strip().lstrip("v")
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description="This provider beside oidc-provider.")
    parser.add_argument(
        "--quick", action="store_true", help="one round of 1 s: shows that it works, not how fast"
    )
    parser.add_argument("--rows", default="", help="comma-separated: " + ", ".join(row.name for row in ROWS))
    parser.add_argument("--seconds", type=int, default=5, help="length of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--against-itself", action="store_true", help="the peer on both sides: shows the noise"
    )
    given = parser.parse_args()
    if given.quick:
        given.seconds, given.rounds = 1, 1
    return given


def chosen(names: str) -> list[Row]:
    wanted = [name for name in names.split(",") if name]
    unknown = set(wanted) - {row.name for row in ROWS}
    if unknown:
        raise CannotMeasure(f"There is no row named {', '.join(sorted(unknown))}.")
    return [row for row in ROWS if not wanted or row.name in wanted]


def bench(given: argparse.Namespace) -> dict[str, Any]:
    rows = chosen(given.rows)
    require("wrk", "taskset", "npm")
    pin([psutil.Process()], LOAD_CORE)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idp-bench-")))
        machine = description()
        ceiling = ceilings(folder, given.seconds)
        say(
            f"wrk's ceiling: {ceiling['plain']:,.0f} req/s; reading each answer: {ceiling['once']:,.0f} req/s"
        )
        right = stack.enter_context(peer(folder))
        if given.against_itself:
            rows = [row for row in rows if row.peer == "oidc-provider"]
            left = stack.enter_context(peer(folder, "oidc-provider again"))
        else:
            left = stack.enter_context(ours(folder))
            say("throttles are raised by the policy in benchmarks/blueprint.yaml")
        if len(left.web()) > 1:
            say(f"note: {len(left.web())} processes answer on port {left.port}, all on core {SERVER_CORE}")
        say(f"{'row':28} {left.name[:10]:>10} {'peer':>10}  ratio")
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "names": [left.name, right.name],
            "machine": machine,
            "versions": versions(left),
            "rounds": given.rounds,
            "seconds": given.seconds,
            "ceiling": ceiling,
            "rows": [one_row(row, left, right, given.rounds, given.seconds, ceiling) for row in rows],
            "resident_mib": left.resident_mib(),
            "start_seconds": round(left.start_seconds, 2),
        }


def main() -> int:
    given = arguments()
    try:
        result = bench(given)
    except CannotMeasure as error:
        say(error)
        return 2
    text = report.table(result)
    print(text)
    if given.against_itself or given.quick:
        return 0
    say(f"written: {report.save('peer', result)}")
    return 1 if any(row["failed"] for row in result["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
