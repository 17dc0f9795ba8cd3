"""Every route says what guards it, and `idp routes` says the same."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from idp.cli.routes import command
from idp.web import gates
from idp.web.gates import CREDENTIALS, Door, Gate, Undeclared


def test_every_rule_of_the_url_map_is_declared_and_nothing_else_is(app: Any) -> None:
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
    declared = gates.declarations(app)
    assert set(rules) == set(declared)
    for endpoint, one in declared.items():
        answered = set(rules[endpoint].methods)
        assert answered - {"HEAD"} == set(one.methods) - {"HEAD"}
        assert set(one.credentials) <= CREDENTIALS
        inside = "<slug:slug>" in rules[endpoint].rule
        assert inside == (one.gate not in (Gate.PUBLIC, Gate.PLATFORM))


def test_idp_routes_is_the_url_map(app: Any) -> None:
    result = CliRunner().invoke(command, ["--json"])
    assert result.exit_code == 0, result.output
    printed = {(row["path"], row["endpoint"]): row for row in json.loads(result.output)}
    mapped = {(gates._VARIABLE.sub(r"{\1}", rule.rule), rule.endpoint) for rule in app.url_map.iter_rules()}
    assert set(printed) == mapped
    assert {"path", "methods", "gate", "credentials"} <= set(next(iter(printed.values())))


def test_a_route_without_a_gate_cannot_be_served() -> None:
    bare = Flask("bare", static_folder=None)
    bare.add_url_rule("/hidden", "hidden", lambda: "x")
    with pytest.raises(Undeclared):
        gates.register(bare, ())


def test_a_route_must_say_which_credentials_it_takes() -> None:
    door = Door("x", __name__, gate=Gate.PUBLIC)
    with pytest.raises(TypeError):
        door.route("/x")  # type: ignore[call-arg]
    with pytest.raises(Undeclared):
        door.route("/x", credentials=("charm",))


def test_only_tokens_and_forms_change_anything(app: Any) -> None:
    """A route that only takes posts, and takes the cookie, takes a CSRF token beside it."""
    for one in gates.declarations(app).values():
        if one.methods == ("POST",) and "cookie" in one.credentials:
            assert "csrf" in one.credentials, one.endpoint
