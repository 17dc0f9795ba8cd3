"""What a server refuses to start with, as far as it can be judged without starting one."""

from typing import Any

import pytest

from idp.config import ConfigError, Settings
from idp.control import running
from idp.store import roles, safety


@pytest.mark.parametrize("version", ["16.14", "16.15", "17.10", "18.4", "18.5", "19.0"])
def test_supported_versions(version: str) -> None:
    assert safety.supported(version)


@pytest.mark.parametrize("version", ["15.9", "16.13", "17.9", "18.3", "18", "", "devel"])
def test_unsupported_versions(version: str) -> None:
    assert not safety.supported(version)


@pytest.mark.parametrize("password", ["postgres", "changeme", "Password", "idp_app"])
def test_a_password_that_everybody_knows_is_refused_in_production(password: str) -> None:
    settings = Settings(
        base_url="https://id.example.com",
        database_url=f"postgresql://idp_app:{password}@db/idp",
        redis_url="redis://r",
    )
    with pytest.raises(ConfigError) as caught:
        running.refuse_start(settings)
    assert caught.value.field == "IDP_DATABASE_URL"
    assert password not in caught.value.sentence


def test_http_is_refused_in_production() -> None:
    with pytest.raises(ConfigError) as caught:
        running.refuse_start(Settings(base_url="http://localhost:8000"))
    assert caught.value.field == "IDP_BASE_URL"


def test_owners_addresses_are_warned_about() -> None:
    assert running.warnings(Settings()) == []
    assert len(running.warnings(Settings(migrator_database_url="postgresql://m@db/idp"))) == 1


@pytest.mark.parametrize("where", ["", "IN DATABASE idp"])
def test_a_setting_that_the_runtime_role_was_not_made_with_is_named(
    vault: Settings, database: Any, where: str
) -> None:
    assert safety.settings() == ""
    for name, value in (("row_security", "off"), ("track_activities", "on"), ("statement_timeout", "0")):
        database(f"ALTER ROLE idp_app {where} SET {name} = '{value}'")
        try:
            assert f"{name}={value}" in safety.settings()
        finally:
            made = roles.SETTINGS["idp_app"].get(name)
            kept = made and not where
            database(f"ALTER ROLE idp_app {where} " + (f"SET {name} = '{made}'" if kept else f"RESET {name}"))
    assert safety.settings() == ""
