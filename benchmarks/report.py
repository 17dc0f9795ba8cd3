"""From numbers to a dated JSON file and a Markdown table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import Run

RESULTS = Path(__file__).parent / "results"
LIMITED = 0.8  # of the load's own ceiling (rulings: a row within 20 % of it is marked)


def middle(runs: list[Run]) -> Run:
    """The medians of each number over the rounds."""
    return Run(
        rate=median(run.rate for run in runs),
        p50=median(run.p50 for run in runs),
        p95=median(run.p95 for run in runs),
        p99=median(run.p99 for run in runs),
        requests=sum(run.requests for run in runs),
        bad=sum(run.bad for run in runs),
        foreign=max(run.foreign for run in runs),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 1 else f"{value:.2f}"


def _cells(run: dict[str, Any] | None) -> list[str]:
    if run is None:
        return ["–", "–", "–"]
    return [_number(run["rate"]), _number(run["p50"]), _number(run["p99"])]


def table(result: dict[str, Any]) -> str:
    """The rows of one result as a Markdown table, with what must be known to read it."""
    left, right = result["names"]
    lines = [
        f"| | {left} req/s | p50 ms | p99 ms | {right} req/s | p50 ms | p99 ms | ratio | goal |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in result["rows"]:
        marks = ["¹"] * row["limited"] + ["²"] * (row["peer_name"] == "argon2id")
        title = " ".join([row["title"], *marks])
        if row.get("failed"):
            lines.append(f"| {title} | {row['failed']} |" + " |" * 7)
            continue
        ratio = "–" if row["ratio"] is None else f"{row['ratio']:.2f}×"
        goal = "–" if row["goal"] is None else f"≥ {row['goal']:.1f}×"
        cells = [title, *_cells(row["ours"]), *_cells(row["peer"]), ratio, goal]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *_notes(result)]
    return "\n".join(lines)


def _notes(result: dict[str, Any]) -> list[str]:
    machine, ceiling = result["machine"], result["ceiling"]
    notes = [
        f"{result['at'][:10]}, {machine['cpu']}, {machine['cores']} cores; each server one process on core 0; "
        f"load, Postgres, Redis on core 1; median of {result['rounds']} rounds of {result['seconds']} s, "
        f"interleaved. wrk's own ceiling: {ceiling['plain']:,.0f} req/s, {ceiling['once']:,.0f} where it "
        "reads each answer. Throttles were raised by policy.",
    ]
    if any(row["limited"] for row in result["rows"]):
        notes.append("¹ within 20 % of that ceiling: the load is the limit, the server may be faster.")
    if any(row["peer_name"] == "argon2id" for row in result["rows"]):
        notes.append("² beside it: bare Argon2id verifications (m=19456 KiB, t=2, p=1) on the same core.")
    foreign = max((row["foreign"] for row in result["rows"]), default=0.0)
    if foreign > 0.05:
        notes.append(f"Other programs held up to {foreign:.0%} of core 0 meanwhile: the numbers are too low.")
    return notes


def save(kind: str, result: dict[str, Any]) -> Path:
    """Write a result beside the earlier ones and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%MZ}-{kind}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path


def newest(kind: str) -> dict[str, Any] | None:
    """The last result of this kind that was saved."""
    found = sorted(RESULTS.glob(f"*-{kind}.json"))
    return json.loads(found[-1].read_text()) if found else None
