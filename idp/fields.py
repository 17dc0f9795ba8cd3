"""Settings that a tenant gives itself: what a field of such a class may hold, and how a mapping becomes an instance.

Each field says its default, its bounds and one sentence, from which docs/configuration.md is held.
"""

import re
from dataclasses import field, fields
from typing import Any

from idp.errors import Invalid

_MOST_MEMBERS = 100


def seconds(default: int, ceiling: int, doc: str, least: int = 1) -> Any:
    """A duration in seconds, from `least` to a ceiling of the platform's."""
    return field(default=default, metadata={"doc": doc, "ceiling": ceiling, "least": least, "unit": "s"})


def count(default: int, ceiling: int, doc: str) -> Any:
    """A whole number from 1 to a ceiling of the platform's."""
    return field(default=default, metadata={"doc": doc, "ceiling": ceiling, "least": 1, "unit": ""})


def choice(default: str, choices: tuple[str, ...], doc: str) -> Any:
    """One of several words."""
    return field(default=default, metadata={"doc": doc, "choices": choices})


def flag(default: bool, doc: str) -> Any:
    """True or false."""
    return field(default=default, metadata={"doc": doc})


def several(pattern: str, shape: str, doc: str, default: tuple[str, ...] = ()) -> Any:
    """A list of texts, each of a `pattern`; `shape` says it in words."""
    return field(default=default, metadata={"doc": doc, "members": pattern, "shape": shape})


def parse(cls: type[Any], what: str, given: dict[str, Any]) -> Any:
    """An instance of a settings class from a mapping; every field checked. Raises Invalid naming the field."""
    known = {f.name: f for f in fields(cls)}
    for name, value in given.items():
        if name not in known:
            raise Invalid(f"{what}.{name} is not a known setting.", rule=f"{what}.{name}", got=name)
        _check(what, name, value, known[name].metadata)
    # A list is kept as what cannot change and can be compared.
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def _check(what: str, name: str, value: Any, rules: Any) -> None:
    where = f"{what}.{name}"
    if "choices" in rules:
        if value not in rules["choices"]:
            raise Invalid(f"{where} must be one of {', '.join(rules['choices'])}.", rule=where, got=value)
    elif "ceiling" in rules:
        fits = isinstance(value, int) and not isinstance(value, bool)
        if not fits or not rules["least"] <= value <= rules["ceiling"]:
            raise Invalid(
                f"{where} must be a whole number from {rules['least']} to {rules['ceiling']}.",
                rule=where,
                got=value,
            )
    elif "members" in rules:
        fits = isinstance(value, list | tuple) and len(value) <= _MOST_MEMBERS
        if not fits or not all(isinstance(one, str) and re.fullmatch(rules["members"], one) for one in value):
            raise Invalid(
                f"{where} must be a list of at most {_MOST_MEMBERS}: {rules['shape']}.", rule=where, got=value
            )
    elif "pattern" in rules:
        if value is not None and not (isinstance(value, str) and re.fullmatch(rules["pattern"], value)):
            raise Invalid(f"{where} must be {rules['shape']}.", rule=where, got=value)
    elif not isinstance(value, bool):
        raise Invalid(f"{where} must be true or false.", rule=where, got=value)
