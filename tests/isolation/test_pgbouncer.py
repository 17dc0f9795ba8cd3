"""Through pgbouncer in transaction mode, where two tenants share the very same connection to Postgres."""

import dataclasses
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from idp import clock
from idp.embedded import ports
from idp.errors import Busy
from idp.prove import runtime_role, sessions
from idp.prove.promises import Tally
from idp.prove.target import Canary, Program, Target
from idp.store import database as vault_database
from idp.store.database import outside, transaction
from idp.store.durable import marks, users
from idp.tenants import Tenant, entered
from tests.isolation import attacking

BOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
FAMILY = {"acme": "Adams", "globex": "Archer"}

pytestmark = pytest.mark.skipif(BOUNCER is None, reason="no pgbouncer here; apt-get install pgbouncer")


@pytest.fixture(scope="module")
def pooled_url(services: Any) -> Iterator[str]:
    """The runtime role's address through a pooler with one connection to Postgres."""
    direct = urlsplit(services.settings.database_url)
    folder, port = Path(tempfile.mkdtemp(prefix="pooler-")), ports.free(6432)
    (folder / "users.txt").write_text(f'"{direct.username}" "{direct.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\nidp = host=127.0.0.1 port={direct.port} dbname=idp\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {folder}/users.txt\n"
        "pool_mode = transaction\ndefault_pool_size = 1\nmax_client_conn = 50\n"
    )
    command = [str(BOUNCER), "-q", str(folder / "pgbouncer.ini")]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield direct._replace(netloc=f"{direct.username}:{direct.password}@127.0.0.1:{port}").geturl()
    finally:
        process.terminate()
        process.wait(5)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("pgbouncer does not listen")


@pytest.fixture
def pooled(twins: Any, vault: Any, pooled_url: str) -> Iterator[tuple[Tenant, Tenant]]:
    """The vault of this process behind the pooler."""
    store = vault_database._store
    kept = store.engine, store.signer, store.ops, store.watch
    settings = dataclasses.replace(vault, database_url=pooled_url, ops_database_url=None)
    vault_database.start(settings, attacking.keys())
    try:
        yield twins
    finally:
        store.ops = None
        vault_database.stop()
        store.engine, store.signer, store.ops, store.watch = kept


def family(tenant: Tenant) -> str:
    """The family name of this tenant's alice."""
    with entered(tenant):
        found = users.by_username("alice")
    assert found is not None
    return str(found.claims["family_name"])


def test_the_two_really_share_one_connection(pooled: Any) -> None:
    pids = set()
    for tenant in pooled:
        with entered(tenant), transaction() as tx:
            pids.add(tx.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar())
    assert len(pids) == 1


def test_interleaved_tenants_never_meet_on_the_shared_connection(pooled: Any) -> None:
    wrong: list[object] = []

    def work(tenant: Tenant, number: int) -> None:
        for turn in range(25):
            try:
                if family(tenant) != FAMILY[tenant.slug]:
                    wrong.append(tenant.slug)
                with entered(tenant), transaction():
                    marks.leave("turn", f"{number}:{turn}".encode(), clock.now())
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(pooled[number % 2], number)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    with outside() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar() == 0
    for tenant in pooled:
        with entered(tenant), transaction() as tx:
            assert (
                tx.connection().exec_driver_sql("SELECT count(*) FROM marks WHERE kind = 'turn'").scalar()
                == 75
            )


def test_a_stranger_on_the_shared_connection_finds_no_context(pooled: Any, pooled_url: str) -> None:
    assert family(pooled[0]) == "Adams"
    with closing(psycopg2.connect(pooled_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.ctx', true), (SELECT count(*) FROM users)")
        context, seen = cursor.fetchone()
        assert not context and seen == 0
        connection.rollback()


def test_a_connection_killed_between_context_and_query_leaves_nothing(pooled: Any, services: Any) -> None:
    with entered(pooled[0]), pytest.raises(Busy), transaction() as tx:
        pid = tx.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
        services.superuser("SELECT pg_terminate_backend(%s)", pid)
        time.sleep(0.1)
        tx.connection().exec_driver_sql("SELECT count(*) FROM users")
    assert family(pooled[1]) == "Archer"


def _canary(tenant: Tenant) -> Canary:
    good, over = (attacking.context(tenant.id, lives=lives) for lives in (600, -5))
    return Canary(tenant.slug, str(tenant.id), tenant.issuer, {}, {}, context=good, expired=over)


def test_the_proof_holds_through_the_pooler(pooled: Any, pooled_url: str) -> None:
    a, b = (_canary(tenant) for tenant in pooled)
    target = Target(
        base_url="", management_url=None, database_url=pooled_url, owner_database_url=None, redis_url="",
        redis_admin_url=None, routes=(), a=a, b=b, program=Program((), {}), kept={"tables": {"users", "marks"}},
    )  # fmt: skip
    promises = {promise.code: promise for promise in (*runtime_role.PROMISES, *sessions.PROMISES)}
    del (
        promises["replayed_contexts"],
        promises["neighbours"],
    )  # two transactions at once, and there is one connection
    for promise in promises.values():
        tally = Tally()
        promise.probe(target, tally)
        assert tally.tried and tally.found == [], (promise.code, tally.found)
        assert not any("pooler" in note for note in tally.notes)
