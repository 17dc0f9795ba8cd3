"""The tenant of `examples/certification/blueprint.yaml`, and the plans that a class of modules is played for.

What a module needs beside the provider's answers (a server of the client's own, time that passes, a key that changes)
is a fixture, so that the same module is played over TLS, where each of them is another one.
"""

from collections.abc import Callable
from typing import Any

import pytest

from idp import clock, directory
from idp.audit import SYSTEM
from idp.control import blueprints
from idp.control import keys as rotation
from idp.tenants import Tenant
from tests.receiving import document_server
from tests.running import TOP

BLUEPRINT = TOP / "examples" / "certification" / "blueprint.yaml"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each module once for each plan of its class."""
    plans = getattr(metafunc.cls, "PLANS", None)
    if plans and "plan" in metafunc.fixturenames:
        metafunc.parametrize("plan", plans, ids=lambda plan: f"{plan.response_type}, {plan.mode}")


@pytest.fixture
def certification(twins: Any) -> Tenant:
    """The tenant that is ready for the suite."""
    blueprints.apply_files([BLUEPRINT], SYSTEM)
    directory.forget_all()
    found = directory.resolve("certification")
    assert found is not None
    return found


@pytest.fixture
def documents() -> Callable[[], Any]:
    """A client's own web server."""
    return document_server


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let seconds pass for what is remembered of others' documents."""
    moved, real = [0.0], clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: real() + moved[0])

    def passed(seconds: float) -> None:
        moved[0] += seconds

    return passed


@pytest.fixture
def rotate() -> Callable[[str], None]:
    """Replace a tenant's signing keys, as an operator does."""

    def rotated(slug: str) -> None:
        rotation.rotate(slug)
        directory.poll()

    return rotated
