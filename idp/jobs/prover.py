"""Starting the proof of isolation on a schedule, as a process of its own beside the worker's rounds.

The proof is made by the very command that an operator runs, and keeps its own report. Where several workers
are due at once, one proves and the others find its report.
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from idp import clock, metrics
from idp.control import proofs
from idp.errors import Busy
from idp.logs import log

RETRY = 600.0
"""Seconds after which a proof that could not be made is tried again, at the latest."""
LOOK = 30.0
"""Seconds between two looks at when the last proof was."""
_OUTCOMES = {0: "done", 1: "broken"}


@dataclass(slots=True)
class Prover:
    """Runs `command` in `environment` when the last proof is older than `every` seconds; one at a time."""

    every: float
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    _child: subprocess.Popen[bytes] | None = None
    _said: IO[bytes] | None = None
    _began: float = 0.0
    _next: float = float("-inf")

    def look(self) -> None:
        """Start the proof when it is due, and tell of one that has ended; never waits."""
        if self._child is not None:
            if self._child.poll() is not None:
                self._ended(self._child.returncode)
            return
        now = clock.monotonic()
        if now < self._next:
            return
        self._next = now + min(LOOK, self.every)
        if self._due():
            self._start()

    def stop(self) -> None:
        """End a proof that is under way; it removes its canaries itself."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            self._child.wait()
        self._forget()

    def _due(self) -> bool:
        try:
            last = proofs.last()
        except Busy:
            return False
        return last is None or not last.whole or last.age.total_seconds() >= self.every

    def _start(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed with the child)
        self._began = clock.monotonic()
        self._child = subprocess.Popen(
            list(self.command), env=dict(self.environment), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self._said,
        )  # fmt: skip
        log(__name__).info("proof.begins", pid=self._child.pid)

    def _ended(self, status: int) -> None:
        outcome = _OUTCOMES.get(status, "failed")
        metrics.observe("job", clock.monotonic() - self._began, job="proof")
        metrics.count("jobs_total", job="proof", outcome=outcome)
        logger, words = log(__name__), self._last_line()
        if outcome == "done":
            logger.info("proof.holds", words=words)
        elif outcome == "broken":
            logger.error("proof.broken", words=words)
        else:
            logger.error("proof.not_made", words=words)
            self._next = clock.monotonic() + min(RETRY, self.every)
        self._forget()

    def _last_line(self) -> str:
        if self._said is None:
            return ""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else ""

    def _forget(self) -> None:
        if self._said is not None:
            self._said.close()
        self._child = self._said = None
