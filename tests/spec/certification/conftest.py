"""The tenant of `examples/certification/blueprint.yaml`, and the plans that a class of modules is played for."""

from typing import Any

import pytest

from idp import directory
from idp.audit import SYSTEM
from idp.control import blueprints
from idp.tenants import Tenant
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
