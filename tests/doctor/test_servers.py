"""Postgres and Redis against their addresses: each finding is caused by one thing, made for real where it can be."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from redis import Redis as RedisClient

from idp.embedded.redis import OPERATOR, RUNTIME_RULES, RUNTIME_USER, Redis
from idp.store import observed


def test_a_good_deployment_has_no_findings(codes, world):
    for name in ("postgres.logins", "postgres.roles", "postgres.tls", "postgres.server",
                 "redis.logins", "redis.addresses", "redis.server"):  # fmt: skip
        assert codes(name, world()) == []


def test_postgres_logins(codes, world, services):
    assert codes("postgres.logins", world(database_url="")) == ["postgres.absent"]
    wrong = services.settings.ops_database_url.replace("idp_ops:", "idp_ops:not-")
    assert codes("postgres.logins", world(ops_database_url=wrong)) == ["postgres.login"]
    assert codes("postgres.logins", world(database_url="postgresql://idp_app:x@127.0.0.1:1/idp")) == [
        "postgres.login"
    ]


def test_postgres_roles(codes, world, services):
    settings = services.settings
    assert codes("postgres.roles", world(database_url=settings.migrator_database_url)) == ["postgres.role"]
    assert codes("postgres.roles", world(ops_database_url=settings.ops_database_url + "_other")) == [
        "postgres.database"
    ]


def test_postgres_tls(codes, world):
    far = "postgresql://idp_app:x@db.example.com/idp"
    assert codes("postgres.tls", world(database_url=far)) == ["postgres.tls"]
    assert codes("postgres.tls", world(database_url=f"{far}?sslmode=require")) == ["postgres.tls_unverified"]
    assert codes("postgres.tls", world(database_url=f"{far}?sslmode=verify-full")) == []


@contextmanager
def changed(database, change, back):
    database(change)
    try:
        yield
    finally:
        database(back)


@pytest.mark.parametrize(
    ("change", "back", "code"),
    [
        ("ALTER ROLE idp_app BYPASSRLS", "ALTER ROLE idp_app NOBYPASSRLS", "postgres.powers"),
        (
            "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE users FORCE ROW LEVEL SECURITY",
            "postgres.wall",
        ),
        (
            "ALTER ROLE idp_app SET work_mem = '64MB'",
            "ALTER ROLE idp_app RESET work_mem",
            "postgres.settings",
        ),
    ],
)
def test_what_the_runtime_role_finds(codes, world, database, change, back, code):
    with changed(database, change, back):
        assert codes("postgres.server", world()) == [code]
    assert codes("postgres.server", world()) == []


def test_a_schema_that_is_behind(codes, world, database):
    ((head,),) = database("SELECT version_num FROM alembic_version")
    behind = "UPDATE alembic_version SET version_num = '0001'"
    with changed(database, behind, f"UPDATE alembic_version SET version_num = '{head}'"):
        assert codes("postgres.server", world()) == ["postgres.schema"]


def test_an_old_postgres_and_a_standby(codes, world, monkeypatch):
    seen = observed.postgres()
    monkeypatch.setattr(observed, "postgres", lambda: replace(seen, version="15.17"))
    assert codes("postgres.server", world()) == ["postgres.version"]
    monkeypatch.setattr(observed, "postgres", lambda: replace(seen, replica=True))
    assert codes("postgres.server", world()) == ["postgres.replica"]


def test_redis_addresses(codes, world, services):
    url = services.settings.redis_url
    assert codes("redis.logins", world(redis_url="")) == ["redis.absent"]
    assert codes("redis.logins", world(redis_url=url.replace("@", "x@"))) == ["redis.login"]
    assert codes("redis.logins", world(redis_url="redis://127.0.0.1:1/0")) == ["redis.login"]
    assert codes("redis.addresses", world(redis_url="redis://idp_app:x@cache.example.com/0")) == ["redis.tls"]
    assert codes("redis.addresses", world(redis_url="rediss://idp_app:x@cache.example.com/0")) == []
    assert codes("redis.addresses", world(redis_url="rediss://:x@cache.example.com/0")) == [
        "redis.default_user"
    ]
    assert codes("redis.server", world(redis_url="redis://127.0.0.1:1/0"))[0].startswith(
        "not tried: Redis does not answer"
    )


@pytest.fixture
def operator(services):
    with RedisClient.from_url(services.redis.url(OPERATOR)) as client:
        yield client


def test_a_redis_that_evicts(codes, world, operator):
    operator.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert codes("redis.server", world()) == ["redis.eviction"]
    finally:
        operator.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(("rule", "code"), [("+config", "redis.powers"), ("~*", "redis.keys")])
def test_a_user_of_redis_that_may_too_much(codes, world, operator, rule, code):
    operator.execute_command("ACL", "SETUSER", RUNTIME_USER, rule)
    try:
        assert codes("redis.server", world()) == [code]
    finally:
        operator.execute_command(
            "ACL", "SETUSER", RUNTIME_USER, "resetkeys", "-config", *RUNTIME_RULES.split()
        )
    assert codes("redis.server", world()) == []


def test_operators_on_another_redis(codes, world, tmp_path):
    other = Redis(tmp_path / "redis", passwords={RUNTIME_USER: "a" * 40, OPERATOR: "b" * 40},
                  log=tmp_path / "log", durable=False)  # fmt: skip
    try:
        other.start()
        other.wait()
        assert codes("redis.server", world(redis_admin_url=other.url(OPERATOR))) == ["redis.other_server"]
    finally:
        other.stop()
