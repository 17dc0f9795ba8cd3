"""One server and one tenant for the libraries of each file, and the folders in which the libraries lie."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from idp import directory
from idp.audit import SYSTEM
from idp.config import Settings
from idp.control import blueprints
from idp.tenants import Tenant
from tests.peers.clients import BYE, CALLBACK, SCOPE, secret
from tests.peers.person import Person
from tests.peers.programs import HERE, Missing, Program, go_program, node_packages
from tests.serving import served

BLUEPRINT = HERE / "blueprint.yaml"


@pytest.fixture(scope="module")
def tenant(services: Any, vault: Settings) -> Tenant:
    """The tenant of blueprint.yaml, alone in the database."""
    services.superuser("DELETE FROM tenants")
    directory.forget_all()
    blueprints.apply_files([BLUEPRINT], SYSTEM)
    directory.forget_all()
    found = directory.resolve("peers")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def issuer(tenant: Tenant, vault: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its issuer, on a server of its own."""
    log = tmp_path_factory.mktemp("peers") / "serve.log"
    with served(vault, log) as (_, port, _):
        yield f"http://localhost:{port}/t/{tenant.slug}"


@pytest.fixture
def person(issuer: str) -> Person:
    """Alice, not signed in."""
    return Person(issuer)


@pytest.fixture(scope="session")
def packages() -> Path:
    """Where node_modules is."""
    try:
        return node_packages()
    except Missing as reason:
        pytest.skip(f"libraries for Node.js were not tried: {reason}")


@pytest.fixture
def node(packages: Path, tmp_path: Path) -> Callable[[str], Program]:
    """`node("openid-client")`: that program of tests/peers/node, beside the packages that it imports."""

    def program(name: str) -> Program:
        folder = tmp_path / "node"
        if not folder.exists():
            folder.mkdir()
            (folder / "node_modules").symlink_to(packages / "node_modules")
            for path in (HERE / "node").glob("*.mjs"):
                shutil.copy(path, folder)
        return Program(("node", str(folder / f"{name}.mjs")))

    return program


@pytest.fixture
def play(node: Callable[[str], Program], issuer: str, person: Person, request: pytest.FixtureRequest) -> Any:
    """`play(scenario, client_id, method, …)`: what the module's PROGRAM tells of it."""

    def run(
        scenario: str, client_id: str, method: str = "client_secret_basic", **more: Any
    ) -> dict[str, Any]:
        given = {
            "scenario": scenario, "issuer": issuer, "client_id": client_id, "method": method,
            "client_secret": secret(client_id), "redirect_uri": CALLBACK, "post_logout_redirect_uri": BYE,
            "scope": SCOPE, **more,
        }  # fmt: skip
        return node(request.module.PROGRAM).run(person, **given)

    return run


@pytest.fixture(scope="session")
def go() -> Program:
    """The program of tests/peers/go."""
    try:
        return Program((str(go_program()),))
    except Missing as reason:
        pytest.skip(f"go-oidc was not tried: {reason}")
