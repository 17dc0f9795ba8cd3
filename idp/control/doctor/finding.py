"""The words of an examination: what was found, where the line to change is, and what could not be looked at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from idp.control.doctor.world import World


class Level(StrEnum):
    """How bad a finding is: an `error` breaks or endangers something now, a `warning` may."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as configuration says."""

    code: str
    level: Level
    cause: str
    where: str
    """The setting, the field of a blueprint, or the file."""
    change: str


def error(code: str, cause: str, where: str, change: str) -> Finding:
    """A finding that breaks or endangers something now."""
    return Finding(code, Level.ERROR, cause, where, change)


def warning(code: str, cause: str, where: str, change: str) -> Finding:
    """A finding that may."""
    return Finding(code, Level.WARNING, cause, where, change)


@dataclass(frozen=True, slots=True)
class Examination:
    """One thing to look at: `name` is stable, `title` is for people."""

    name: str
    title: str
    look: Callable[[World], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Result:
    """What one examination gave; `not_tried` says why it could not be made."""

    name: str
    title: str
    findings: tuple[Finding, ...] = field(default=())
    not_tried: str | None = None
