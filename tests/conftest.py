"""What every test may ask for: real servers of its own, a migrated database, tenants, the application.

Each xdist worker has a throw-away Postgres and Valkey. Tests never run inside a rolled-back transaction:
a tenant set there would outlive a released savepoint and leak into the next request of the same test.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import freezegun
import psycopg2
import pytest
from redis import Redis as RedisClient

from idp import directory, ids
from idp.config import Settings, use
from idp.control import installation
from idp.embedded.folder import REDIS_USERS, USERS
from idp.embedded.postgres import DATABASE, Postgres
from idp.embedded.postgres import url as postgres_url
from idp.embedded.redis import OPERATOR, Redis
from idp.federation import offers
from idp.signing import cache as signing_cache
from idp.tenants import Tenant, entered
from tests.attacks.coverage import pytest_terminal_summary as pytest_terminal_summary

BASE_URL = "http://localhost"
TWINS = Path(__file__).parent / "twins.yaml"
REAL_TIME = ("idp.store.context", "idp.embedded")
"""Modules that see real time in frozen tests: what Postgres judges by its own clock, and servers."""


@dataclass(frozen=True)
class Database:
    """The cluster's database as its superuser, whom no policy binds."""

    url: str

    def __call__(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement and commit; its rows."""
        with closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> list[str]:
        """Every table of ours."""
        found = self(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        return sorted(name for (name,) in found if name != "alembic_version")


@dataclass(frozen=True)
class Services:
    """The servers of this worker."""

    settings: Settings
    superuser: Database
    postgres: Postgres
    redis: Redis


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A Postgres and a Valkey of this worker's own, roles made, schema at its head."""
    home = tmp_path_factory.mktemp("home")
    secrets = {name: ids.secret() for name in (*USERS, *(f"redis:{name}" for name in REDIS_USERS))}
    postgres = Postgres(
        home / "postgres", password=secrets["postgres"], log=home / "postgres.log", durable=False
    )
    users = {name: secrets[f"redis:{name}"] for name in REDIS_USERS}
    redis = Redis(home / "redis", passwords=users, log=home / "redis.log", durable=False)
    try:
        postgres.make()
        postgres.start()
        redis.start()
        postgres.wait()
        redis.wait()
        settings = Settings.load({}, **_settings(home, postgres, redis, secrets))
        fresh = installation.make_roles(settings, {name: secrets[name] for name in USERS})
        installation.upgrade(settings, fresh=fresh)
        yield Services(settings, Database(postgres.url(database=DATABASE)), postgres, redis)
    finally:
        redis.stop()
        postgres.stop()


def _settings(home: Path, postgres: Postgres, redis: Redis, secrets: dict[str, str]) -> dict[str, Any]:
    def at(role: str) -> str:
        return postgres_url(postgres.port, role, secrets[role])

    return {
        "env": "development",
        "home": home,
        "keys": home / "keys",
        "base_url": BASE_URL,
        "database_url": at("idp_app"),
        "ops_database_url": at("idp_ops"),
        "migrator_database_url": at("idp_migrator"),
        "admin_database_url": postgres.url(database="postgres"),
        "backup_database_url": at("idp_backup"),
        "redis_url": redis.url(),
        "redis_admin_url": redis.url(OPERATOR),
    }


@pytest.fixture(scope="session")
def settings(services: Services) -> Settings:
    """The settings of this worker's deployment: development, path issuers below http://localhost."""
    return use(services.settings)


@pytest.fixture(scope="session")
def vault(settings: Settings) -> Iterator[Settings]:
    """Vault, key ring and directory open in this process."""
    with installation.opened(settings):
        yield settings


@pytest.fixture
def database(services: Services, vault: Settings) -> Database:
    """An empty database and an empty Redis; call it with SQL to act as superuser."""
    use(vault)  # a command that ran in this process may have left its own
    services.superuser("DELETE FROM tenants; DELETE FROM applications")
    _forget(services)
    return services.superuser


def _forget(services: Services) -> None:
    with RedisClient.from_url(services.redis.url(OPERATOR)) as client:
        client.flushall()
    directory.forget_all()
    signing_cache.forget()
    offers.forget()


@pytest.fixture
def twins(services: Services, database: Database) -> tuple[Tenant, Tenant]:
    """Acme and Globex, who share every name and nothing else (tests/twins.yaml)."""
    _seed(database)
    _forget(services)
    directory.poll()  # what the next answer would tell is known, and drops nothing in the middle of a test
    found = directory.resolve("acme"), directory.resolve("globex")
    assert found[0] is not None and found[1] is not None
    return found[0], found[1]


@pytest.fixture
def acme(twins: tuple[Tenant, Tenant]) -> Tenant:
    """The tenant that a test works in: alice, bob, the client `web` and others."""
    return twins[0]


@pytest.fixture
def globex(twins: tuple[Tenant, Tenant]) -> Tenant:
    """The tenant that must see nothing of acme, with the very same names."""
    return twins[1]


@pytest.fixture
def in_acme(acme: Tenant) -> Iterator[Tenant]:
    """Acme, entered."""
    with entered(acme):
        yield acme


def _seed(database: Database) -> None:
    """Apply the twins' blueprint once a worker; later tests get its rows back, because keys take long to make."""
    tables = database.tables()
    if not database("SELECT 1 FROM pg_namespace WHERE nspname = 'seed'"):
        _apply_twins(database)
        copies = (f"CREATE TABLE seed.{name} AS TABLE public.{name}" for name in tables)
        database("; ".join(["CREATE SCHEMA seed", *copies]))
        return
    rows = (f"INSERT INTO public.{name} SELECT * FROM seed.{name}" for name in tables)
    moved = "UPDATE public.tenants SET changed_at = clock_timestamp()"
    database("; ".join(["SET LOCAL session_replication_role = replica", *rows, moved]))


def _apply_twins(database: Database) -> None:
    """Whatever hashes the test at hand makes, these are as the product makes them: later tests get them too."""
    from idp.accounts import passwords
    from idp.audit import SYSTEM
    from idp.control import blueprints

    with mock.patch.object(passwords, "_hasher", passwords.hasher()):
        blueprints.apply_files([TWINS], SYSTEM)


@pytest.fixture(scope="session")
def app(vault: Settings) -> Any:
    """The WSGI application, every door registered."""
    from idp.app import create_app

    return create_app(vault)


@pytest.fixture
def http(app: Any, database: Database) -> Any:
    """A client without cookies, over WSGI, in the test's own thread."""
    return app.test_client()


@pytest.fixture
def frozen() -> Iterator[Callable[..., Any]]:
    """`with frozen("2030-01-01") as clock: clock.tick(60)`; without an instant it freezes the present."""

    @contextmanager
    def freeze(instant: Any = None) -> Iterator[Any]:
        with freezegun.freeze_time(instant, ignore=list(REAL_TIME)) as clock:
            yield clock

    yield freeze


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Only loopback answers, so that no test depends on, or tells, anybody outside."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            raise PermissionError(f"tests may not connect to {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield
