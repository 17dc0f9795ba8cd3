"""Every public function of the vault is tried by a second tenant; one that is added without such a test is named."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

from idp.store import durable, ephemeral, redis

TESTS = Path(__file__).parents[1]
TWO = {"globex", "twins", "both"}
"""Fixtures that bring a second tenant."""

ELSEWHERE = {
    "consents.scopes_of": "store/test_consents.py::test_what_one_tenants_user_allowed_is_nothing_in_the_other",
    "consents.add": "store/test_consents.py::test_what_one_tenants_user_allowed_is_nothing_in_the_other",
    "consents.remove": "store/test_consents.py::test_what_one_tenants_user_allowed_is_nothing_in_the_other",
    "consents.forget": "store/test_consents.py::test_forgetting_a_client_forgets_one_tenants",
    "consents.of_user": "store/test_consents.py::test_what_one_tenants_user_allowed_is_nothing_in_the_other",
}
"""Functions that a test tries through the room above, and which test that is."""

NOT_OF_A_TENANT = {
    "columns": "shapes of tables, no rows",
    "proofs": "of the platform, hold nothing of a tenant",
    "gates": "of the platform, hold nothing of a tenant",
    "applications": "operators' own role: every tenant is theirs to see",
    "grants.made": "makes what it is given",
    "sessions.made": "makes what it is given",
    "enabled_applications.kept": "a document of what is given",
    "enabled_applications.secrets": "reads what is given",
    "tenants.keys_behind": "asks over all tenants, through a function that names one",
    "tenants.lag": "asks over all tenants, for one number",
    "control_plane": "operators' own role: every tenant is theirs to see",
    "tenants.counting": "a clause, no rows",
    "audit_log.counter_stepped_back": "asks Postgres for its own counter, no rows",
    "elsewhere.name_of": "a digest of what is given",
    "outside": "refusals of no tenant, under a key that names none",
    "replays.doubtful": "of this process",
    "redis.start": "opens the connection",
    "redis.stop": "closes the connection",
    "redis.breaker": "of this process",
    "redis.call": "runs what it is given",
    "redis.beat": "of the platform, holds nothing",
    "redis.beats": "of the platform, holds nothing",
    "redis.script": "runs on keys made by redis.key",
}
"""What cannot be another tenant's, and why."""


def _functions() -> list[str]:
    modules = [
        importlib.import_module(f"{package.__name__}.{each.name}")
        for package in (durable, ephemeral)
        for each in pkgutil.iter_modules(package.__path__)
    ]
    return [
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in (*modules, redis)
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    ]


FUNCTIONS = [
    name
    for name in _functions()
    if name not in NOT_OF_A_TENANT and name.partition(".")[0] not in NOT_OF_A_TENANT
]


def _tests(file: Path) -> dict[str, ast.FunctionDef]:
    if not file.exists():
        return {}
    return {node.name: node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


def _fixtures(name: str, tests: dict[str, ast.FunctionDef]) -> set[str]:
    """The fixtures of a test, those of its own file followed."""
    found: set[str] = set()
    for argument in tests[name].args.args:
        if argument.arg not in found:
            found.add(argument.arg)
            if argument.arg in tests:
                found |= _fixtures(argument.arg, tests)
    return found


def _aliases(file: Path) -> dict[str, str]:
    """What the file calls each module of the vault → the module."""
    return {
        each.asname or each.name: each.name
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("idp.store")
        for each in node.names
    }


def _calls(name: str, tests: dict[str, ast.FunctionDef], aliases: dict[str, str]) -> set[str]:
    """What a test calls of the vault, the helpers of its own file followed."""
    found = set()
    for each in ast.walk(tests[name]):
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
            found.add(f"{aliases.get(each.value.id, '')}.{each.attr}")
        if isinstance(each, ast.Name) and each.id in tests and each.id != name:
            found |= _calls(each.id, tests, aliases)
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_second_tenant_has_tried_it(function: str) -> None:
    file, _, name = ELSEWHERE.get(function, "").partition("::")
    if file:
        assert name in _tests(TESTS / file), f"{file} has no {name}"
        return
    module = function.partition(".")[0]
    tried = {
        name
        for path in (
            TESTS / "store" / f"test_{module}.py",
            Path(__file__).with_name("test_second_tenant.py"),
            Path(__file__).with_name("test_second_tenant_in_redis.py"),
        )
        if (tests := _tests(path))
        for name in tests
        if name.startswith("test_")
        and function in _calls(name, tests, _aliases(path))
        and _fixtures(name, tests) & TWO
    }
    assert tried, f"no test of tests/store/test_{module}.py with a second tenant calls {function}"


def test_the_exceptions_exist() -> None:
    everything = {*_functions(), *(name.partition(".")[0] for name in _functions())}
    assert NOT_OF_A_TENANT.keys() <= everything
    assert ELSEWHERE.keys() <= everything
