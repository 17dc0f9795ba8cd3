"""`wrk` with prepared requests: from raw HTTP bytes to numbers."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import LOAD_CORE, CannotMeasure

LUA = Path(__file__).parent / "lua"


@dataclass(frozen=True)
class Run:
    """One run: `rate` in requests per second, times in milliseconds, `bad` answers other than expected."""

    rate: float
    p50: float
    p95: float
    p99: float
    requests: int
    bad: int
    foreign: float = 0.0

    def as_dict(self) -> dict[str, float]:
        return {key: round(value, 3) for key, value in asdict(self).items()}


def request(
    method: str, path: str, host: str, headers: dict[str, str] | None = None, body: str = ""
) -> bytes:
    """The bytes of one HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def play(
    port: int,
    requests: Sequence[bytes],
    *,
    seconds: int,
    connections: int,
    once: int | None = None,
) -> Run:
    """Send `requests` to 127.0.0.1:`port`: in a circle for `seconds`, or each at most once (`once` is the
    status that counts as done) until they are used up. Raises CannotMeasure when wrk fails."""
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".requests") as file:
        file.write(b"\0".join(requests))
        file.flush()
        script = "play.lua" if once is None else "once.lua"
        extra = [] if once is None else [str(connections), str(once)]
        duration = seconds if once is None else max(seconds * 12, 30)
        command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{duration}s"]
        command += ["--timeout", "10s", "-s", str(LUA / script), f"http://127.0.0.1:{port}", "--", file.name]
        command += extra
        done = subprocess.run(command, capture_output=True, text=True, timeout=duration + 60)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return _run(json.loads(line.removeprefix("RESULT ")))
    raise CannotMeasure(f"wrk gave no result: {(done.stderr or done.stdout).strip()[-300:]}")


def _run(raw: dict[str, int]) -> Run:
    return Run(
        rate=raw["requests"] / max(raw["microseconds"] / 1e6, 1e-6),
        p50=raw["p50"] / 1000,
        p95=raw["p95"] / 1000,
        p99=raw["p99"] / 1000,
        requests=raw["requests"],
        bad=raw["bad"] + raw["socket"],
    )
