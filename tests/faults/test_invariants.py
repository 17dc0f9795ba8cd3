"""One fault after another, and after each the same five invariants (tests/faults/invariants.py)."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from redis import Redis as RedisClient

from idp.embedded.redis import OPERATOR
from idp.store import database as vault_database
from idp.store import redis as live
from idp.store import stalled
from idp.store.database import Unavailable, transaction
from idp.tenants import Tenant, entered
from tests.faults.invariants import Witness
from tests.faults.test_postgres import _everyone

pytestmark = pytest.mark.slow


def _reconnect() -> None:
    vault_database._engine().dispose()


@pytest.fixture
def witness(app: Any, services: Any, acme: Tenant, globex: Tenant, database: Any) -> Iterator[Witness]:
    """Somebody who was promised things; Postgres writes what it commits, as in production."""
    database("ALTER DATABASE idp SET synchronous_commit = on")
    _reconnect()
    yield Witness(app, acme, globex, database)
    services.superuser("ALTER DATABASE idp RESET synchronous_commit")
    _reconnect()
    live._store.breaker = live.Breaker()


@contextmanager
def _postgres_stopped(services: Any, name: signal.Signals) -> Iterator[None]:
    services.postgres.child.send_signal(name)
    services.postgres.child.wait(20)
    try:
        yield
    finally:
        services.postgres.restart()
        services.postgres.wait()


def f01_fast_restart(services: Any) -> Any:
    """Postgres stops as an operator stops it."""
    return _postgres_stopped(services, signal.SIGINT)


def f01_immediate_restart(services: Any) -> Any:
    """Postgres stops without a checkpoint, and recovers from its log."""
    return _postgres_stopped(services, signal.SIGQUIT)


@contextmanager
def f04_backends_killed(services: Any) -> Iterator[None]:
    """Every connection of ours dies, again and again, wherever it is."""
    over = threading.Event()

    def kill() -> None:
        with closing(psycopg2.connect(services.superuser.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while not over.wait(0.02):
                    cursor.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'idp_app'"
                    )

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


@contextmanager
def f05_pool_held(services: Any) -> Iterator[None]:
    """Somebody else has every connection of the pool."""
    tenant = _tenant()
    release, held = threading.Event(), threading.Barrier(9)

    def hold() -> None:
        with suppress(Unavailable), entered(tenant), transaction() as tx:  # Postgres ends what idles too long
            tx.connection()
            held.wait(20)
            release.wait(60)

    threads = [threading.Thread(target=hold) for _ in range(8)]
    for thread in threads:
        thread.start()
    held.wait(20)
    try:
        yield
    finally:
        release.set()
        for thread in threads:
            thread.join(10)


def _tenant() -> Tenant:
    from idp import directory

    found = directory.resolve("acme")
    assert found is not None
    return found


@contextmanager
def f06_tables_locked(services: Any) -> Iterator[None]:
    """A statement of somebody else's has the tables."""
    with ExitStack() as stack:
        connection = stack.enter_context(closing(psycopg2.connect(services.superuser.url)))
        connection.cursor().execute("LOCK TABLE refresh_tokens, audit_log IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def f07_disk_full(services: Any) -> Iterator[None]:
    """The audit lies on a disk of its own, of four megabytes, and it is full."""
    place = Path(services.settings.home) / "full"
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", str(place)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    space = place / "space"
    space.mkdir()
    there = Path(services.postgres.folder).stat()
    os.chown(space, there.st_uid, there.st_gid)
    database = services.superuser
    autocommit = psycopg2.connect(database.url)
    autocommit.autocommit = True
    try:
        with autocommit.cursor() as cursor:
            cursor.execute(f"CREATE TABLESPACE full_disk LOCATION '{space}'")
            cursor.execute("ALTER TABLE audit_log SET TABLESPACE full_disk")
            cursor.execute("VACUUM FULL audit_log")
        filler = place / "filler"
        with open(filler, "wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"\0" * 65_536)
        _fill_last_page(autocommit)
        yield
        filler.unlink()
    finally:
        with autocommit.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_log SET TABLESPACE pg_default")
            cursor.execute("DROP TABLESPACE full_disk")
        autocommit.close()
        subprocess.run(["umount", str(place)], check=True)


def _fill_last_page(connection: Any) -> None:
    """Insert until not one more row fits."""
    row = (
        "INSERT INTO audit_log (tenant_id, id, event, actor, facts, at) "
        "SELECT id, gen_random_uuid(), 'tenant.updated', '{}', '{}', now() FROM tenants WHERE slug = 'globex'"
    )
    with pytest.raises(psycopg2.errors.DiskFull), connection.cursor() as cursor:
        for _ in range(100_000):
            cursor.execute(row)


@contextmanager
def f10_redis_killed(services: Any) -> Iterator[None]:
    """Redis dies, and comes back empty."""
    services.redis.child.kill()
    services.redis.child.wait(5)
    try:
        yield
    finally:
        services.redis.restart()
        services.redis.wait()


@contextmanager
def f11_redis_frozen(services: Any) -> Iterator[None]:
    """Redis takes connections and never answers."""
    os.kill(services.redis.child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(services.redis.child.pid, signal.SIGCONT)


@contextmanager
def f12_redis_read_only(services: Any) -> Iterator[None]:
    """Redis has become a replica of nobody: it reads, and refuses writes."""
    with RedisClient.from_url(services.redis.url(OPERATOR)) as operator:
        operator.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            operator.replicaof("NO", "ONE")


@contextmanager
def f13_redis_full(services: Any) -> Iterator[None]:
    """Redis has no memory left, and evicts nothing."""
    with RedisClient.from_url(services.redis.url(OPERATOR), decode_responses=True) as operator:
        before = operator.config_get("maxmemory")["maxmemory"]
        operator.config_set("maxmemory", "1")
        try:
            yield
        finally:
            operator.config_set("maxmemory", before)


@contextmanager
def f33_postgres_silent(services: Any) -> Iterator[None]:
    """Postgres says nothing any more, and its connections stay open."""
    frozen = _everyone(services.postgres.child.pid)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


FAULTS: tuple[Callable[[Any], Any], ...] = (
    f01_fast_restart, f01_immediate_restart, f04_backends_killed, f05_pool_held, f06_tables_locked, f07_disk_full,
    f10_redis_killed, f11_redis_frozen, f12_redis_read_only, f13_redis_full, f33_postgres_silent,
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_f01_f04_f05_f06_f07_f10_f11_f12_f13_f33_the_invariants_hold(
    witness: Witness, services: Any, fault: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalled, "LONGEST", 1.0)
    witness.act()
    witness.act()
    witness.revoke()
    with fault(services):
        witness.act()
        witness.revoke()
    time.sleep(0.1)
    witness.check()
