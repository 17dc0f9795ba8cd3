"""The proof of the proof: break the system in many ways, and demand that the proof turns red for each.

Two halves are registered in `HALVES`: walls of SQL, broken in transactions that are rolled back, and servers.
None of it touches the deployment: a scratch cluster at the same head, or a shadow that somebody offers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from idp.prove import database
from idp.prove.promises import NotProved

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scratch:
    """What may be broken."""

    superuser_url: str
    """A Postgres at the product's head, as superuser."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Where the product's commands find the scratch deployment; empty for a shadow that is a database alone."""
    live_url: str = ""
    """The deployment's own database where somebody named the shadow, so that the two can be told apart."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One way to break it, and what noticed."""

    half: str
    name: str
    noticed: tuple[str, ...]
    """Codes of the promises that turned red."""

    @property
    def killed(self) -> bool:
        """Whether the proof turned red."""
        return bool(self.noticed)


Half = Callable[[Scratch, Progress], Iterator[Verdict]]


def run(scratch: Scratch, tell: Progress = lambda _line: None) -> tuple[Verdict, ...]:
    """Every mutant of every half. Raises NotProved."""
    from idp.prove.halves import HALVES

    if scratch.live_url:
        _apart(scratch)
    return tuple(verdict for half in HALVES for verdict in half(scratch, tell))


def _apart(scratch: Scratch) -> None:
    """Raises NotProved where the shadow is the deployment's own database."""
    with database.alone(scratch.live_url):
        try:
            with database.alone(scratch.superuser_url):
                pass
        except database.Taken:
            raise NotProved("The shadow is the deployment itself, which is never broken.") from None


def content(verdicts: tuple[Verdict, ...]) -> list[dict[str, object]]:
    """The table as JSON."""
    return [
        {"half": each.half, "name": each.name, "killed": each.killed, "noticed": list(each.noticed)}
        for each in verdicts
    ]
