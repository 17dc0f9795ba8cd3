"""What differs between two fingerprints, and how much each difference matters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from idp.control.alignment.levels import Level, Rule, rule_for
from idp.errors import Invalid

ABSENT = "absent"
_NOT_COMPARED = {("format",), ("version",), ("schema", "digest")}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: `here` and `there` are values, or `absent`."""

    path: str
    level: Level
    here: Any
    there: Any
    why: str
    change: str


def between(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[Difference]:
    """Every difference, the gravest first. Raises Invalid for a fingerprint that is not whole."""
    for name, part in here.items():
        if isinstance(part, dict) and not isinstance(there.get(name), dict):
            raise Invalid(f"The file is no whole fingerprint: {name} is missing.", rule="align.file")
    found = [_difference(path, mine, theirs) for path, mine, theirs in _walk((), here, there)]
    return sorted(found, key=lambda each: (list(Level).index(each.level), each.path))


def _walk(
    path: tuple[str, ...], here: Mapping[str, Any], there: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Each place at which the two differ; a whole branch that one lacks is one place."""
    for name in sorted({*here, *there}):
        place = (*path, name)
        mine, theirs = here.get(name, ABSENT), there.get(name, ABSENT)
        if place in _NOT_COMPARED or mine == theirs:
            continue
        if isinstance(mine, dict) and isinstance(theirs, dict):
            yield from _walk(place, mine, theirs)
        else:
            yield place, mine, theirs


def _difference(path: tuple[str, ...], here: Any, there: Any) -> Difference:
    rule: Rule = rule_for(path)
    return Difference(" › ".join(path), rule.level, here, there, rule.why, rule.change)
