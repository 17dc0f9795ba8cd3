"""What is promised, how a promise is tried, and what was found.

A module of probes ends with a tuple `PROMISES`; a new promise is one entry there and one function.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from idp.prove.target import Target


class NotProved(Exception):
    """The proof could not be made: one sentence, and exit status 2. Not the same as a broken promise."""


class Unexpected(Exception):
    """The deployment answered otherwise than it must: one sentence, and the promise in hand is broken."""


class Group(StrEnum):
    """Where a promise is tried; `--only` takes these words."""

    CATALOGUE = "catalogue"
    RUNTIME_ROLE = "runtime-role"
    OUTSIDE = "outside"
    BETWEEN = "between"
    TOKENS = "tokens"


@dataclass(slots=True)
class Tally:
    """What a probe writes down while it tries."""

    tried: int = 0
    found: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the deployment forbids to look at: a residual risk, named, neither red nor silently green."""

    def count(self, times: int = 1) -> None:
        """`times` more attempts were made."""
        self.tried += times

    def broken(self, sentence: str) -> None:
        """The promise does not hold: one sentence that says where."""
        self.found.append(sentence)

    def expect(self, holds: bool, sentence: str) -> None:
        """One attempt; `sentence` is written down when it does not hold."""
        self.count()
        if not holds:
            self.broken(sentence)


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: a stable `code`, a `sentence` for an auditor, `how` it is tried, and the probe that tries."""

    code: str
    group: Group
    sentence: str
    how: str
    probe: "Callable[[Target, Tally], None]"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A promise after it was tried. A probe that tried nothing has not kept its promise."""

    promise: Promise
    tally: Tally
    seconds: float

    @property
    def kept(self) -> bool:
        """Whether it was tried at least once and nothing was found."""
        return self.tally.tried > 0 and not self.tally.found
