"""The same rows at 1, 100 and 10,000 tenants, from deployments that run side by side.

    .venv/bin/python -m benchmarks.scale [--quick] [--tenants 1,100,10000] [--rows …] [--save]

Each deployment is filled, stopped and started again (that start is the one that counts). The rounds of a row
go through all deployments in turns, so that noise falls on each. Requests go to all tenants in random order,
after one request to each that is not counted. Beside the times stands the processor time of the web process for
a request, which tells the same on a machine that others use too.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks import report
from benchmarks.bulk import USERS_OF_A_COPY, copy_tenant, slug
from benchmarks.load import Run, play
from benchmarks.machine import LOAD_CORE, CannotMeasure, description, pin, require
from benchmarks.rows import Row, measure
from benchmarks.run import chosen, say
from benchmarks.target import Server, Site, moved, ours

SLOWER, START, RESIDENT = 1.2, 3.0, 300.0
WARMED = ("jwks", "discovery", "client_credentials_es256", "client_credentials_rs256")


def fill(folder: Path, tenants: int) -> Path:
    """A stopped deployment with the bench tenant, its twin and copies up to `tenants`; returns its home."""
    home = folder / f"home-{tenants}"
    with ours(folder, home) as server:
        assert server.home is not None
        if tenants > 1:
            say(f"making {tenants:,} tenants")
            copy_tenant(server.home, "bench", tenants - 1)
    return home


def sites(server: Server, tenants: int) -> list[Site]:
    """The bench tenant and its copies, shuffled the same way each time."""
    origin = server.sites[0]
    parts = urlsplit(origin.issuer)
    base = f"{parts.scheme}://{parts.netloc}"
    everyone = [origin]
    everyone += [moved(origin, f"{base}/t/{slug(number)}", USERS_OF_A_COPY) for number in range(1, tenants)]
    random.Random(tenants).shuffle(everyone)
    return everyone


def warm(server: Server, everyone: list[Site], rows: list[Row]) -> dict[str, float]:
    """One request to each tenant per repeatable row; the rate of the first is that of a cold memory."""
    rates = {}
    for row in rows:
        if row.name in WARMED and len(everyone) >= 100:
            requests = row.prepare(server, everyone, 0)
            say(f"{row.title:28} one request to each of {len(everyone):,} tenants")
            run = play(server.port, requests, seconds=60, connections=8, once=200)
            if run.bad:
                raise CannotMeasure(f"{run.bad} of {run.requests} first answers of {row.title} were not 200.")
            rates[row.name] = round(run.rate, 1)
    return rates


def processor_seconds(server: Server) -> float:
    """What the web processes have spent until now."""
    return sum(sum(process.cpu_times()[:2]) for process in server.web())


def one_row(
    row: Row, levels: dict[int, tuple[Server, list[Site]]], rounds: int, seconds: int
) -> dict[str, Any]:
    """A row at every level, in turns; p95 against that of the smallest level."""
    runs: dict[int, list[Run]] = {tenants: [] for tenants in levels}
    spent: dict[int, list[float]] = {tenants: [] for tenants in levels}
    try:
        for _ in range(rounds):
            for tenants, (server, everyone) in levels.items():
                before = processor_seconds(server)
                run = measure(row, server, seconds, everyone)
                runs[tenants].append(run)
                spent[tenants].append((processor_seconds(server) - before) / max(run.requests, 1) * 1e6)
                say(f"{row.title:28} {tenants:>6,} tenants: {run.rate:,.0f}/s p95 {run.p95:.1f} ms")
    except (CannotMeasure, OSError, ValueError, KeyError) as error:
        say(f"{row.title:28} not measured: {error}")
        return {"name": row.name, "title": row.title, "failed": str(error)}
    middles = {tenants: report.middle(taken) for tenants, taken in runs.items()}
    least = middles[min(middles)].p95
    ratios = {tenants: round(run.p95 / max(least, 1e-9), 3) for tenants, run in middles.items()}
    return {
        "name": row.name,
        "title": row.title,
        "failed": None,
        "levels": {str(tenants): run.as_dict() for tenants, run in middles.items()},
        "p95_ratio": {str(tenants): ratio for tenants, ratio in ratios.items()},
        # What prepares requests that can be sent once only is in it too, so it counts for the others alone.
        "processor_us": None
        if row.once is not None
        else {str(tenants): round(sorted(each)[len(each) // 2], 1) for tenants, each in spent.items()},
        "foreign": max(run.foreign for run in middles.values()),
        "reached": ratios[max(ratios)] <= SLOWER,
    }


def bench(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    rows = chosen(given.rows)
    counts = sorted(int(number) for number in given.tenants.split(","))
    homes = {tenants: fill(folder, tenants) for tenants in counts}
    with ExitStack() as stack:
        levels: dict[int, tuple[Server, list[Site]]] = {}
        for tenants, home in homes.items():
            say(f"starting with {tenants:,} tenants")
            server = stack.enter_context(ours(folder, home, None))
            levels[tenants] = (server, sites(server, tenants))
        cold = {str(tenants): warm(server, everyone, rows) for tenants, (server, everyone) in levels.items()}
        measured = [one_row(row, levels, given.rounds, given.seconds) for row in rows]
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": description(),
            "rounds": given.rounds,
            "seconds": given.seconds,
            "tenants": counts,
            "start_seconds": {str(t): round(server.start_seconds, 2) for t, (server, _) in levels.items()},
            "resident_mib": {str(t): server.resident_mib() for t, (server, _) in levels.items()},
            "first_requests": cold,
            "rows": measured,
        }


def table(result: dict[str, Any]) -> str:
    """A Markdown table: per level rate and p95, then start and memory."""
    counts = [str(tenants) for tenants in result["tenants"]]
    head = " | ".join(f"{int(tenants):,} tenants: req/s | p95 ms" for tenants in counts)
    lines = [
        f"| | {head} | p95 ratio | goal | processor µs a request |",
        "|---|" + "--:|" * (2 * len(counts) + 3),
    ]
    for row in result["rows"]:
        if row["failed"]:
            lines.append(f"| {row['title']} | {row['failed']} |" + " |" * (2 * len(counts) + 2))
            continue
        cells = [f"{row['levels'][t]['rate']:,.0f} | {row['levels'][t]['p95']:,.1f}" for t in counts]
        ratio = row["p95_ratio"][counts[-1]]
        spent = row["processor_us"]
        told = " → ".join(f"{spent[t]:.0f}" for t in counts) if spent else ""
        lines.append(f"| {row['title']} | {' | '.join(cells)} | {ratio:.2f}× | ≤ {SLOWER}× | {told} |")
    for title, values, goal in (
        ("Start, s", [f"{result['start_seconds'][t]:.1f}" for t in counts], f"≤ {START:.0f}"),
        (
            "Resident MiB per process",
            [_sizes(result["resident_mib"][t]) for t in counts],
            f"≤ {RESIDENT:.0f}",
        ),
    ):
        lines.append(f"| {title} | " + " | ".join(f"{value} |" for value in values) + f" | {goal} | |")
    return "\n".join(lines)


def _sizes(values: list[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def reached(result: dict[str, Any]) -> bool:
    return (
        all(not row["failed"] and row["reached"] for row in result["rows"])
        and max(result["start_seconds"].values()) <= START
        and max(size for sizes in result["resident_mib"].values() for size in sizes) <= RESIDENT
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description="The same rows at more tenants.")
    parser.add_argument("--quick", action="store_true", help="1 and 100 tenants, one round of 1 s")
    parser.add_argument("--tenants", default="1,100,10000")
    parser.add_argument("--rows", default="")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results")
    given = parser.parse_args()
    if given.quick:
        given.tenants, given.seconds, given.rounds = "1,100", 1, 1
    try:
        require("wrk", "taskset")
        pin([psutil.Process()], LOAD_CORE)
        with tempfile.TemporaryDirectory(prefix="idp-scale-") as folder:
            result = bench(given, Path(folder))
    except CannotMeasure as error:
        say(error)
        return 2
    print(table(result))
    if given.save:
        say(f"written: {report.save('scale', result)}")
    return 0 if reached(result) else 1


if __name__ == "__main__":
    sys.exit(main())
