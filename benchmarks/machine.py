"""The two cores: who runs where, who else was there, and what the machine is."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

SERVER_CORE = 0
LOAD_CORE = 1


class CannotMeasure(Exception):
    """Something that the bench needs is missing or answers wrongly; the text is one sentence for a person."""


def require(*programs: str) -> None:
    """Raises CannotMeasure naming the Debian package of the first program that is not on the PATH."""
    packages = {"wrk": "wrk", "taskset": "util-linux", "npm": "npm"}
    for program in programs:
        if shutil.which(program) is None:
            raise CannotMeasure(
                f"{program} is not installed: `apt-get install {packages[program]}` brings it."
            )
    if len(os.sched_getaffinity(0)) < 2:
        raise CannotMeasure("The bench needs two cores: one for the server under test, one for the load.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pin(processes: Iterable[psutil.Process], core: int) -> None:
    """Pin every thread of these processes; threads and children made later inherit it."""
    for process in processes:
        with suppress(psutil.Error, FileNotFoundError):
            for task in os.listdir(f"/proc/{process.pid}/task"):
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task), {core})


def listeners(port: int, among: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those of `among` that hold a socket listening on `port`."""
    found = []
    for process in among:
        with suppress(psutil.Error):
            if any(
                c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in process.net_connections()
            ):
                found.append(process)
    return found


class Occupancy:
    """How busy the server's core was during a run, and how much of that was somebody else's work."""

    def __init__(self, processes: Iterable[psutil.Process]) -> None:
        self.processes = list(processes)
        self.started = time.monotonic()
        self.busy, self.own = self._busy(), self._own()

    def _busy(self) -> float:
        times = psutil.cpu_times(percpu=True)[SERVER_CORE]
        return float(sum(times) - times.idle - times.iowait - getattr(times, "guest", 0.0))

    def _own(self) -> float:
        total = 0.0
        for process in self.processes:
            with suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def foreign(self) -> float:
        """Share (0..1) of the elapsed time in which others held the server's core."""
        elapsed = max(time.monotonic() - self.started, 1e-9)
        return max(0.0, (self._busy() - self.busy) - (self._own() - self.own)) / elapsed


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def description() -> dict[str, object]:
    """What a reader needs to judge the numbers by."""
    model = "unknown"
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _output("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }
