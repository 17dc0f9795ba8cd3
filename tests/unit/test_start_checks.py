"""What a server refuses to start with, as far as it can be judged without starting one."""

import socket
from contextlib import closing
from typing import Any

import pytest

from idp.config import ConfigError, Settings
from idp.control.readiness import libraries, run, security
from idp.control.readiness.check import Check, Gate, Level, Seen, State, Stops
from idp.control.readiness.world import NotLooked, World
from idp.errors import Busy
from idp.store import roles, safety


def closed_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        run.refuse_start(settings, opened=False)
    assert caught.value.field == "IDP_DATABASE_URL"
    assert "IDP-SEC-002" in caught.value.sentence
    assert f" {password} " not in caught.value.sentence


def test_http_is_refused_in_production() -> None:
    with pytest.raises(ConfigError) as caught:
        run.refuse_start(Settings(base_url="http://localhost:8000"), opened=False)
    assert caught.value.field == "IDP_BASE_URL"


def test_owners_addresses_are_told_and_stop_nothing(vault: Settings, database: Any) -> None:
    plain = vault.with_(**dict.fromkeys(security._NAMED))
    assert run.refuse_start(plain) == []
    [told] = run.refuse_start(plain.with_(migrator_database_url="postgresql://m@db/idp"))
    assert "IDP_MIGRATOR_DATABASE_URL" in told and "IDP-SEC-020" in told


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


def check(look: Any, **more: Any) -> Check:
    return Check("IDP-XXX-001", "It holds", "It matters.", "Mend it.", look, Gate.SECURITY, **more)


def raising(error: Exception) -> Any:
    def look(_world: World) -> Seen:
        raise error

    return look


@pytest.mark.parametrize(
    ("look", "more", "state", "ok"),
    [
        (lambda _: Seen(True), {}, State.GREEN, True),
        (lambda _: Seen(None, "nothing here"), {}, State.ABSENT, True),
        (lambda _: Seen(False, "gone"), {}, State.RED, False),
        (lambda _: Seen(False, "gone", mild=True), {}, State.WARN, True),
        (lambda _: Seen(False, "gone"), {"level": Level.WARN}, State.WARN, True),
        (lambda _: Seen(False, "gone"), {"mild": True}, State.WARN, True),
        (raising(Busy()), {}, State.UNKNOWN, False),
        (raising(NotLooked("no ring")), {"level": Level.WARN}, State.UNKNOWN, True),
        (raising(ZeroDivisionError()), {}, State.RED, False),
    ],
)
def test_looking_never_raises(look: Any, more: dict[str, Any], state: State, ok: bool) -> None:
    found = run.one(check(look, **more), World(Settings()))
    assert (found.state, found.ok) == (state, ok)


def test_what_is_mild_on_loopback_is_red_over_https() -> None:
    mild = check(lambda _: Seen(False, "gone"), mild=True)
    assert run.one(mild, World(Settings(base_url="https://id.example.com"))).state is State.RED


def test_without_a_key_ring_the_gates_say_so_and_ask_no_server(tmp_path: Any) -> None:
    nowhere = f"127.0.0.1:{closed_port()}"
    settings = Settings.load(
        {
            "IDP_KEYS": str(tmp_path),
            "IDP_DATABASE_URL": f"postgresql://idp_app:x@{nowhere}/idp",
            "IDP_REDIS_URL": f"redis://{nowhere}",
        }
    )
    with run.opened(settings) as world:
        found = {each.check.code: each for each in run.look(run.light(), world)}
    assert found["IDP-SEC-007"].state is State.RED and "no key ring" in found["IDP-SEC-007"].words
    assert found["IDP-INF-001"].state is State.UNKNOWN


@pytest.mark.parametrize(("mode", "folder"), [(0o644, 0o700), (0o600, 0o777)])
def test_a_key_ring_that_others_may_read_or_replace_is_named(tmp_path: Any, mode: int, folder: int) -> None:
    ring = tmp_path / "kek.json"
    ring.write_text('{"keys": []}')
    ring.chmod(mode)
    tmp_path.chmod(folder)
    settings = Settings(keys=tmp_path)
    assert security.ring_is_private(World(settings)).holds is False
    ring.chmod(0o600)
    tmp_path.chmod(0o700)
    assert security.ring_is_private(World(settings)).holds is True


@pytest.mark.parametrize(
    ("proxies", "holds"),
    [(("10.0.0.0/8",), True), (("0.0.0.0/0",), False), (("::/0",), False), (("x",), False)],
)
def test_proxies_that_are_everybody_are_named(proxies: tuple[str, ...], holds: bool) -> None:
    world = World(Settings(base_url="https://id.example.com", trusted_proxies=proxies))
    assert security.proxies(world).holds is holds


def test_a_library_below_its_floor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert libraries.below_floor() == []
    assert libraries.floors()["Authlib"] == "1.9.9"
    monkeypatch.setattr(libraries, "floors", lambda: {"Authlib": "99.0"})
    assert "Authlib" in security.floors(World(Settings())).words


def test_numbers_of_versions_compare() -> None:
    assert libraries.numbers("3.10") > libraries.numbers("3.9.9") and libraries.numbers("5.0") == (5,)


@pytest.mark.parametrize("stops", list(Stops))
def test_something_stops_everything_that_can_be_stopped(stops: Stops) -> None:
    assert run.of(stops)
