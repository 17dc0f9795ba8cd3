"""The words of a check: its gate, its level, whom it stops, and what was seen."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from idp.control.readiness.world import World


class Gate(StrEnum):
    """The four questions before a deployment; `--gate` takes these words."""

    INFRASTRUCTURE = "infrastructure"
    SECURITY = "security"
    INTEGRATION = "integration"
    PERFORMANCE = "performance"

    @property
    def light(self) -> bool:
        """Whether it needs no running server and can be looked at any time."""
        return self in (Gate.INFRASTRUCTURE, Gate.SECURITY)


class Level(StrEnum):
    """What a check that does not hold is."""

    RED = "red"
    WARN = "warn"


class Stops(StrEnum):
    """Whom a red check stops."""

    DEPLOY = "deploy"
    """`idp ready` ends with status 1."""
    START = "start"
    """`idp serve` refuses to start."""
    TRAFFIC = "traffic"
    """`/readyz` stays 503 until it has held once."""
    LASTING = "lasting"
    """`/readyz` turns 503 again: what the other replicas would not share."""


class State(StrEnum):
    """What looking gave."""

    GREEN = "green"
    WARN = "warn"
    RED = "red"
    UNKNOWN = "unknown"
    """It could not be looked at, because something before it is red."""
    ABSENT = "absent"
    """There is nothing to look at here."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look gave: whether it holds (None: there is nothing to look at), in `words`; `mild`: warns at most."""

    holds: bool | None
    words: str = ""
    mild: bool = False


def good(words: str = "") -> Seen:
    """It holds."""
    return Seen(True, words)


def bad(words: str, *, mild: bool = False) -> Seen:
    """It does not hold: one sentence that says where; `mild`: it warns, whatever the check's level."""
    return Seen(False, words, mild)


def absent(words: str) -> Seen:
    """There is nothing to look at, and why."""
    return Seen(None, words)


def judged(problem: str, words: str = "") -> Seen:
    """Bad with the sentence `problem` where there is one, else good with `words`."""
    return bad(problem) if problem else good(words)


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `code` never changes its meaning and is never given to another one."""

    code: str
    name: str
    """What holds when it is green, in a few words."""
    reason: str
    """Why it matters, one sentence."""
    fix: str
    """What to do when it does not hold, one sentence."""
    look: Callable[[World], Seen]
    """May raise what Postgres and Redis raise; the runner makes `UNKNOWN` of it."""
    gate: Gate
    level: Level = Level.RED
    stops: tuple[Stops, ...] = (Stops.DEPLOY,)
    mild: bool = False
    """Warns at most on plain http, which is this machine's loopback."""
    setting: str = ""
    """The setting that a refusal to start names."""


@dataclass(frozen=True, slots=True)
class Result:
    """A check after looking."""

    check: Check
    state: State
    words: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nobody is stopped by it."""
        stopping = self.state is State.UNKNOWN and self.check.level is Level.RED
        return self.state is not State.RED and not stopping

    def content(self) -> dict[str, Any]:
        """The result as JSON; the fix only where there is something to mend."""
        check = self.check
        told = {
            "code": check.code, "gate": str(check.gate), "name": check.name, "state": str(self.state),
            "ok": self.ok, "words": self.words, "seconds": round(self.seconds, 3),
        }  # fmt: skip
        if self.state in (State.RED, State.WARN):
            told |= {"reason": check.reason, "fix": check.fix}
        return told
