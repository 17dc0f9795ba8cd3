"""Every audit event is written somewhere, named once, and said in the form subject.action."""

import ast
import re
from pathlib import Path

from idp import audit
from idp.audit import Event

HOUSE = Path(audit.__file__).parent

RESERVED: dict[str, str] = {}
"""Events that nothing writes any more: their names stay, because old rows carry them. Name → since when."""

WAITING = {
    "CLIENT_SECRET_REMOVED": "secrets end by their time until there is a command that removes one",
    "ROLE_UPDATED": "roles have nothing to change but their members",
    "TENANT_ACTIVATED": "tenant.created says it: a tenant is born active",
}
"""Events that nothing writes yet, and why; who begins to write one takes it from here."""


def _named() -> dict[str, set[str]]:
    """Member of Event → the modules that name it, its own excepted."""
    found: dict[str, set[str]] = {}
    for file in sorted(HOUSE.rglob("*.py")):
        if file.name == "audit.py" and file.parent == HOUSE:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "Event"
            ):
                found.setdefault(node.attr, set()).add(str(file.relative_to(HOUSE)))
    return found


def test_every_event_is_written_somewhere() -> None:
    unused = {event.name for event in Event} - _named().keys() - RESERVED.keys() - WAITING.keys()
    assert not unused, f"nothing writes {sorted(unused)}"


def test_nothing_writes_an_event_that_does_not_exist() -> None:
    assert _named().keys() <= {event.name for event in Event}


def test_what_is_said_to_be_unwritten_is() -> None:
    assert not (RESERVED.keys() | WAITING.keys()) & _named().keys()


def test_names_follow_the_grammar_and_are_said_once() -> None:
    values = [event.value for event in Event]
    assert len(values) == len(set(values))
    for event in Event:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", event.value), event
        assert event.name == event.value.replace(".", "_").upper(), event
