"""A deployment to examine, and one examination at a time."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from idp.control.doctor import run
from idp.control.doctor.world import World
from tests.doctor.certificates import CA_KEY, certificate, pem


def everywhere(_host: str) -> bool:
    """A DNS that knows every name."""
    return True


@pytest.fixture
def codes() -> Callable[..., list[str]]:
    """`codes("redis.server", world)`: the codes of what one examination found; each finding is whole."""

    def look(name: str, world: World) -> list[str]:
        each = next(each for each in run.EXAMINATIONS if each.name == name)
        result = run.one(each, world)
        for finding in result.findings:
            assert finding.cause.endswith(".")
            assert finding.where
            assert finding.change
        skipped = [f"not tried: {result.not_tried}"] if result.not_tried else []
        return [finding.code for finding in result.findings] or skipped

    return look


@pytest.fixture
def world(services: Any, vault: Any, twins: Any) -> Callable[..., World]:
    """`world(env="production")`: this worker's deployment with changed settings, and no network."""

    def make(**changes: Any) -> World:
        names = ("environment", "closed", "serving", "via", "resolve", "lookup", "context")
        given = {name: changes.pop(name) for name in names if name in changes}
        return World(
            services.settings.with_(**changes), **{"resolve": everywhere, "lookup": lambda _name: (), **given}
        )

    return make


@pytest.fixture
def trusting(tmp_path: Path) -> Callable[[], ssl.SSLContext]:
    """A context that trusts the CA of these tests."""
    authority = tmp_path / "ca.pem"
    authority.write_bytes(pem(certificate("", "Doctor CA", CA_KEY, ca=True)))
    return lambda: ssl.create_default_context(cafile=str(authority))
