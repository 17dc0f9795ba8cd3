"""The processes of a local deployment: started in order, restarted when they crash, stopped together.

One thread, one loop: the parent-death signal follows the thread that forked, and a signal handler
only sets a flag.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from idp import clock
from idp.embedded import NotPossible, process
from idp.embedded.deployment import Services
from idp.embedded.folder import Folder
from idp.logs import log

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 30.0
GRACE_SECONDS = 6.0  # a web worker gives its open connections five
LOOK_SECONDS = 0.1

_log = log("idp.embedded")


class Interrupted(BaseException):
    """The end was asked for before everything had started."""


@dataclass(slots=True)
class Unit:
    """A process that ought to run; `spawn` starts it, `signals` stop it politely, in that order."""

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    signals: Sequence[signal.Signals] = (signal.SIGTERM,)
    child: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    pause: float = FIRST_PAUSE
    again_at: float | None = None
    said: int = 0
    """Bytes of its log that earlier runs wrote."""


@dataclass(slots=True)
class Supervisor:
    """Keeps the units of `folder` running until it is asked to stop."""

    folder: Folder
    units: list[Unit] = field(default_factory=list)
    asked: bool = False
    starting: bool = True
    """While true, being asked to stop raises Interrupted where the start happens to be."""

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM ask for the end while this block runs; a second one changes nothing."""
        names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {name: signal.signal(name, self._ask) for name in names}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def adopt(self, services: Services) -> None:
        """Take over servers that already run, so that they are restarted when they crash."""
        for name, server in (("postgres", services.postgres), ("redis", services.redis)):
            if server is not None:
                unit = Unit(name, server.restart, signals=server.signals)
                unit.child, unit.since = server.child, clock.monotonic()
                self.units.append(unit)
        self._write_down()

    def start(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str]) -> Unit:
        """Start a program of ours with exactly `env`, its output in `log/NAME.log`."""
        unit = Unit(name, lambda: process.spawn(argv, log=self.log(name), cwd=self.folder.home, env=env))
        log = self.log(name)
        unit.said = log.stat().st_size if log.is_file() else 0
        self.units.append(unit)
        self._spawn(unit)
        self._write_down()
        return unit

    def log(self, name: str) -> Path:
        """Where the process `name` writes."""
        return self.folder.logs / f"{name}.log"

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for `condition`; False when the time is over.

        Raises NotPossible when a process ended meanwhile: what never stood is not restarted into health.
        """
        deadline = clock.monotonic() + seconds
        while not condition():
            for unit in self.units:
                if unit.child is not None and unit.child.poll() is not None:
                    raise NotPossible(f"{unit.name} ended at its start: {self.last_words(unit.name)}")
            if clock.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def run(self) -> None:
        """Restart what crashes, with growing pauses, until the end is asked for."""
        while not self.asked:
            time.sleep(LOOK_SECONDS)
            changed = [unit for unit in self.units if self._look_after(unit)]
            if changed:
                self._write_down()

    def _ask(self, *_: object) -> None:
        self.asked = True
        if self.starting:
            self.starting = False
            raise Interrupted

    def stop(self) -> None:
        """Stop programs, then servers; each group at once, by force after a grace of its own."""
        servers = [unit for unit in self.units if unit.name in ("postgres", "redis")]
        for group, grace in (([u for u in self.units if u not in servers], GRACE_SECONDS), (servers, 2.5)):
            _stop_together(group, grace)
        self.units.clear()
        self.folder.write_down([])

    def last_words(self, name: str) -> str:
        """The reason that a process gave last, in its own sentence, and where the rest is; never a log's line."""
        try:
            written = self.log(name).read_bytes()
            before = next((unit.said for unit in self.units if unit.name == name), 0)
            own = written[before if before <= len(written) else 0 :]  # a log that grew too long was put aside
            lines = own.decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        plain = [line for line in lines if not line.startswith("{")]
        told = [line for line in plain if line.startswith("idp: ")] or plain
        words = told[-1].removeprefix("idp: ").rstrip(".") if told else "it gave no reason"
        return f"{words} ({self.log(name)})."

    def _look_after(self, unit: Unit) -> bool:
        """Whether `unit` was started again just now."""
        now = clock.monotonic()
        if unit.child is not None:
            code = unit.child.poll()
            if code is None:
                return False
            process.sweep(unit.child.pid)
            unit.child = None
            steady = now - unit.since > STEADY_SECONDS
            unit.pause = FIRST_PAUSE if steady else min(unit.pause * 2, LONGEST_PAUSE)
            unit.again_at = now + unit.pause
            _log.warning("process ended", process=unit.name, status=code, again_in_seconds=unit.pause)
        if unit.again_at is None or now < unit.again_at:
            return False
        try:
            self._spawn(unit)
        except (OSError, NotPossible, subprocess.SubprocessError) as error:
            unit.pause = min(unit.pause * 2, LONGEST_PAUSE)
            unit.again_at = now + unit.pause
            _log.warning("process cannot be started", process=unit.name, reason=str(error))
            return False
        return True

    def _spawn(self, unit: Unit) -> None:
        unit.child, unit.since, unit.again_at = unit.spawn(), clock.monotonic(), None

    def _write_down(self) -> None:
        self.folder.write_down(
            [process.trace(unit.name, unit.child.pid) for unit in self.units if unit.child is not None]
        )


def _stop_together(units: Sequence[Unit], grace: float) -> None:
    """One deadline for all of `units`, so that five slow ones take no longer than one."""
    children = [(unit, unit.child) for unit in units if unit.child is not None]
    for unit, child in children:
        if child.poll() is None:
            child.send_signal(unit.signals[0])
    process.until(lambda: all(child.poll() is not None for _, child in children), grace)
    for unit, child in children:
        process.stop(child, unit.signals[1:], 1.0)
