"""What exists in development alone stops a production: each is tried, named by its code, and mended."""

from pathlib import Path
from typing import Any

import pytest

from idp import directory, paths
from idp.audit import SYSTEM
from idp.config import ConfigError, Settings
from idp.control import blueprints, tenants
from idp.control.readiness import run
from idp.control.readiness.check import State, Stops
from idp.control.readiness.table import CHECKS
from idp.control.readiness.world import World
from idp.embedded.folder import Folder


def state(code: str, settings: Settings) -> State:
    """What one check gives."""
    [check] = [each for each in CHECKS if each.code == code]
    return run.one(check, World(settings)).state


@pytest.fixture
def production(vault: Settings, database: Any) -> Settings:
    """The same deployment, as a production would be told of it."""
    return vault.with_(env="production", base_url="https://id.example.com")


def test_people_of_the_demonstration_stop_the_start(production: Settings, vault: Settings) -> None:
    assert state("IDP-SEC-005", production) is State.GREEN
    blueprints.apply_files([paths.examples() / "demo" / "blueprint.yaml"], SYSTEM)
    directory.forget_all()
    assert state("IDP-SEC-005", vault) is State.ABSENT
    assert state("IDP-SEC-005", production) is State.RED
    with pytest.raises(ConfigError, match=r"alice of acme can sign in.*IDP-SEC-005"):
        run.refuse_start(production)
    for slug in ("acme", "globex"):
        tenants.delete(slug, SYSTEM, purge=True)
    directory.forget_all()
    assert state("IDP-SEC-005", production) is State.GREEN


def test_embedded_servers_stop_the_start(production: Settings, services: Any, tmp_path: Path) -> None:
    home = production.with_(home=tmp_path)
    (tmp_path / "run").mkdir()
    Folder(tmp_path, home.keys).remember(redis_port=services.redis.port)
    with pytest.raises(ConfigError, match=r"embedded redis.*IDP-SEC-003"):
        run.refuse_start(home, opened=False)
    Folder(tmp_path, home.keys).remember(redis_port=1)
    assert state("IDP-SEC-003", home) is State.GREEN


@pytest.mark.parametrize(
    ("code", "changes", "stops"),
    [
        ("IDP-SEC-001", {"base_url": "http://localhost:8000"}, Stops.START),
        ("IDP-SEC-002", {"redis_url": "redis://idp_app:changeme@127.0.0.1/0"}, Stops.START),
        ("IDP-SEC-004", {"env": "development"}, Stops.DEPLOY),
        ("IDP-SEC-006", {"log_level": "DEBUG"}, Stops.DEPLOY),
    ],
)
def test_each_setting_of_a_development_is_red(
    production: Settings, code: str, changes: dict[str, str], stops: Stops
) -> None:
    assert state(code, production) is State.GREEN
    assert state(code, production.with_(**changes)) is State.RED
    assert code in {check.code for check in run.of(stops)}
