"""One running deployment for every proof of a worker, and canaries in it."""

from collections.abc import Iterator

import pytest

from idp.prove import run
from idp.prove.target import Program, Target
from idp.prove.wire import Net
from tests.running import PROGRAM, Up, environment, up


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A provider as people run it, without tenants."""
    with up(tmp_path_factory.mktemp("proved") / "home") as running:
        running.wait_ready()
        yield running
        running.end()


@pytest.fixture(scope="module")
def target(deployment: Up) -> Iterator[Target]:
    """The deployment with two canaries of this file."""
    program = Program([*PROGRAM, "--home", str(deployment.home)], environment())
    with run.facing(program, deployment.env(), lambda _line: None) as faced:
        yield faced


@pytest.fixture
def net() -> Iterator[Net]:
    """A visitor's connections."""
    with Net() as opened:
        yield opened
