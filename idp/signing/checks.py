"""Ordered tables of named checks on a token.

Whoever decides runs a table to the first check that fails; whoever explains plays it to its end. It is the same
table, so that an explanation cannot say anything else than the decision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from idp.errors import InvalidToken

Seen = TypeVar("Seen")


def no(rule: str, *, expected: object = None, got: object = None) -> InvalidToken:
    """The refusal of one rule."""
    return InvalidToken(rule=rule, expected=expected, got=got)


@dataclass(frozen=True, slots=True)
class Check(Generic[Seen]):
    """One check: its name, what it does (raises InvalidToken), and the checks without which it makes no sense."""

    name: str
    run: Callable[[Seen], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one check: `ok`, `failed` with its refusal, or `not tried`."""

    name: str
    verdict: str
    refusal: InvalidToken | None = None


class Table(Generic[Seen]):
    """Checks in the order in which they count."""

    def __init__(self, *checks: Check[Seen]) -> None:
        """`checks`: each needs only what stands before it."""
        self.checks = checks
        self._runs = tuple(check.run for check in checks)

    def hold(self, seen: Seen) -> None:
        """Run them to the first that fails. Raises InvalidToken."""
        for run in self._runs:
            run(seen)

    def play(self, seen: Seen, known: Mapping[str, InvalidToken | None] | None = None) -> list[Outcome]:
        """Run each whose needs were met. `known`: what need not be run; None for what cannot be tried."""
        outcomes: list[Outcome] = []
        good: set[str] = set()
        for check in self.checks:
            outcome = _played(check, seen, good, known or {})
            if outcome.verdict == "ok":
                good.add(check.name)
            outcomes.append(outcome)
        return outcomes


def _played(
    check: Check[Seen], seen: Seen, good: set[str], known: Mapping[str, InvalidToken | None]
) -> Outcome:
    if not good.issuperset(check.needs):
        return Outcome(check.name, "not tried")
    if check.name in known:
        refusal = known[check.name]
        return Outcome(check.name, "not tried" if refusal is None else "failed", refusal)
    try:
        check.run(seen)
    except InvalidToken as refusal:
        return Outcome(check.name, "failed", refusal)
    return Outcome(check.name, "ok")
