"""Verbs for tests that run the provider as people do: `idp` and `idp up` as processes."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from prometheus_client import REGISTRY

from idp import metrics
from idp.embedded import ports

TOP = Path(__file__).resolve().parents[1]
PROGRAM = [sys.executable, "-m", "idp.cli"]
GRACE = 10.0


def environment(**more: str) -> dict[str, str]:
    """The environment without any `IDP_` name but those in `more`."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    return {
        **plain,
        "PYTHONPATH": os.pathsep.join([str(TOP), plain.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        **more,
    }


def idp(
    *arguments: str, cwd: Path | None = None, timeout: float = 60, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=cwd or TOP,
        env=environment(**env),
        text=True,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def counted(name: str, **labels: str) -> float:
    """What a counter of this process says, what was only taken note of included."""
    metrics.flush()
    return REGISTRY.get_sample_value(f"idp_{name}", labels) or 0.0


@dataclass
class Up:
    """A running `idp up`."""

    process: subprocess.Popen[str]
    home: Path
    port: int
    lines: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The base URL."""
        return f"http://localhost:{self.port}"

    def wait_ready(self) -> None:
        """Read what it prints until it says that it is ready."""
        while line := self.process.stdout.readline():
            self.lines.append(line.rstrip("\n"))
            if line.startswith("ready "):
                return
        raise AssertionError(f"never ready: {self.process.stderr.read()}")

    def family(self) -> list[psutil.Process]:
        """Everything it has started."""
        return [*psutil.Process(self.process.pid).children(recursive=True)]

    def status(self, path: str) -> int:
        """The status of an answer, over a connection of its own."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status

    def env(self) -> dict[str, str]:
        """What `idp env` tells."""
        return json.loads(idp("env", "--json", "--show-secrets", "--home", str(self.home)).stdout)

    def end(self, name: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit status."""
        self.process.send_signal(name)
        return self.process.wait(GRACE)


@contextmanager
def up(
    home: Path, *arguments: str, port: int | None = None, wrapped: tuple[str, ...] = (), **env: str
) -> Iterator[Up]:
    """`idp up` without the demonstration, until the block ends."""
    port = port or ports.free()
    usual = ["--home", str(home), "--port", str(port), "--workers", "1", "--no-demo"]
    command = [*wrapped, *PROGRAM, "up", *usual, *arguments]
    process = subprocess.Popen(
        command, cwd="/", env=environment(**env), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield Up(process, home, port)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def free_ports() -> int:
    """A port that is free together with the two above it."""
    base = ports.free()
    while not all(ports.is_free(port) for port in (base, base + 1, base + 2)):
        base = ports.free()
    return base


def gone(family: list[psutil.Process], seconds: float = GRACE) -> bool:
    """Whether all of them have ended in time."""
    return within(
        seconds, lambda: not any(each.is_running() and each.status() != "zombie" for each in family)
    )
