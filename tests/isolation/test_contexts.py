"""The signed context over its life: pooled, expired, replayed, watched by a neighbour, and its keys rotated."""

import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from idp import ids
from idp.errors import Busy, InvalidGrant
from idp.store import database as vault_database
from idp.store import migrate
from idp.store.context import Signer
from idp.store.database import Kept, Unavailable, outside, transaction
from idp.store.durable import marks, users
from idp.tenants import Tenant, entered
from tests.isolation import attacking
from tests.isolation.attacking import Session

FAMILY = {"acme": "Adams", "globex": "Archer"}


@pytest.fixture
def alice(settings: Any) -> Iterator[Session]:
    """A session of the runtime role."""
    with attacking.session(settings.database_url) as made:
        yield made


def family(tenant: Tenant) -> str:
    """The family name of this tenant's alice."""
    with entered(tenant):
        found = users.by_username("alice")
    assert found is not None
    return str(found.claims["family_name"])


def test_a_pooled_connection_brings_nothing_along(twins: Any) -> None:
    for _ in range(3):
        for tenant in twins:
            assert family(tenant) == FAMILY[tenant.slug]
        with outside() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar() == 0
            assert not connection.exec_driver_sql("SELECT current_setting('app.ctx', true)").scalar()


def test_after_an_exception_nothing_is_left(twins: Any) -> None:
    with entered(twins[0]), pytest.raises(ZeroDivisionError), transaction() as tx:
        tx.connection().exec_driver_sql("SELECT 1 FROM users")
        raise ZeroDivisionError
    with entered(twins[0]), pytest.raises(Exception, match="division"), transaction() as tx:
        tx.connection().exec_driver_sql("SELECT 1 / 0")
    with outside() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar() == 0


def test_a_transaction_cannot_change_its_tenant(twins: Any) -> None:
    with entered(twins[0]), transaction(), pytest.raises(RuntimeError), entered(twins[1]):
        pass


def test_reads_run_in_read_only_transactions(in_acme: Tenant) -> None:
    with pytest.raises(sa.exc.InternalError, match="read-only"), transaction(readonly=True) as tx:
        tx.connection().exec_driver_sql("DELETE FROM marks")


def test_a_kept_refusal_commits_and_one_that_cannot_is_503(in_acme: Tenant, database: Any) -> None:
    until = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(InvalidGrant), transaction():
        marks.leave("kept", b"1", until)
        raise Kept(InvalidGrant())
    assert not marks.leave("kept", b"1", until)
    with pytest.raises(Unavailable), transaction() as tx:
        marks.leave("kept", b"2", until)
        pid = tx.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
        database("SELECT pg_terminate_backend(%s)", pid)
        time.sleep(0.1)
        raise Kept(InvalidGrant())
    assert marks.leave("kept", b"2", until)


def test_a_savepoint_brings_the_former_context_back(twins: Any, alice: Session) -> None:
    acme, globex = twins
    with alice.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.ctx', %s, true)", (attacking.context(acme.id),))
        cursor.execute("SAVEPOINT inner_one")
        cursor.execute("SELECT set_config('app.ctx', %s, true)", (attacking.context(globex.id),))
        cursor.execute("ROLLBACK TO inner_one")
        cursor.execute("SELECT DISTINCT tenant_id FROM users")
        assert cursor.fetchall() == [(str(acme.id),)]
    alice.connection.rollback()
    assert alice("SELECT count(*) FROM users") == [(0,)]


def test_a_stolen_context_ends_and_a_long_transaction_does_not_go_blind(
    twins: Any, alice: Session, settings: Any
) -> None:
    acme, _ = twins
    short = attacking.context(acme.id, lives=1)
    with alice.connection.cursor() as cursor, attacking.session(settings.database_url) as thief:
        cursor.execute("SELECT set_config('app.ctx', %s, true)", (short,))
        assert thief("SELECT count(*) > 0 FROM users", as_=short) == [(True,)]
        time.sleep(2.1)
        cursor.execute("SELECT count(*) > 0 FROM users")
        assert cursor.fetchone() == (True,)
        assert thief.refused("SELECT count(*) FROM users", as_=short)[0] == "IDP01"
    alice.connection.rollback()
    assert alice.refused("SELECT count(*) FROM users", as_=short)[0] == "IDP01"


def test_an_expired_and_a_forged_context_are_503_and_counted(
    twins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong, rule in ((lambda self, tenant: attacking.context(tenant, lives=-1), "tenant_context.expired"),
                        (lambda self, tenant: "v1.a.b.c.d", "tenant_context.forged")):  # fmt: skip
        monkeypatch.setattr(Signer, "sign", wrong)
        with entered(twins[0]), pytest.raises(Unavailable) as refused:
            users.by_username("alice")
        assert refused.value.rule == rule


def test_a_neighbour_of_the_same_role_sees_no_context(
    twins: Any, settings: Any, database: Any, services: Any
) -> None:
    context = attacking.context(twins[0].id)
    with attacking.session(settings.database_url) as busy, attacking.session(settings.database_url) as spy:
        pid = busy.connection.get_backend_pid()
        asks = "SELECT set_config('app.ctx', %s, true), pg_sleep(1)"
        thread = threading.Thread(target=busy, args=(asks, context))
        thread.start()
        time.sleep(0.3)
        for question in ("SELECT query FROM pg_stat_activity", f"SELECT pg_stat_get_backend_activity({pid})",
                         "SELECT query FROM pg_stat_get_activity(NULL)",
                         "SELECT pg_stat_get_backend_idset()"):  # fmt: skip
            assert spy.refused(question)[0] == "42501"
        seen = database("SELECT coalesce(query, '') FROM pg_stat_activity WHERE pid = %s", pid)
        assert context not in str(seen)
        thread.join(5)
    written = (
        services.postgres.log.read_text() if isinstance(getattr(services.postgres, "log", None), Path) else ""
    )
    assert context.rpartition(".")[2] not in written


def _upgrade(settings: Any, keys: list[tuple[str, bytes]]) -> None:
    migrate.upgrade(settings, keys)


def test_context_keys_rotate_under_load(twins: Any, settings: Any, alice: Session) -> None:
    old, new = attacking.keys(), [("rotated", b"n" * 32), *attacking.keys()]
    wrong: list[object] = []
    done, counted = threading.Event(), []

    def load(tenant: Tenant) -> None:
        while not done.is_set():
            try:
                if family(tenant) != FAMILY[tenant.slug]:
                    wrong.append(tenant.slug)
                counted.append(tenant.slug)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=load, args=(tenant,)) for tenant in (*twins, *twins)]
    before = attacking.context(twins[0].id)
    try:
        for thread in threads:
            thread.start()
        _upgrade(settings, new)  # both keys are accepted
        assert alice("SELECT count(*) > 0 FROM users", as_=before) == [(True,)]
        vault_database._store.signer = Signer(new)
        time.sleep(0.3)
        after = attacking.context(twins[0].id, key=new[0])
        assert alice("SELECT count(*) > 0 FROM users", as_=after) == [(True,)]
        _upgrade(settings, new[:1])  # the former key is dropped
        assert alice.refused("SELECT count(*) FROM users", as_=before)[0] == "IDP02"
        assert alice("SELECT count(*) > 0 FROM users", as_=after) == [(True,)]
        time.sleep(0.2)
        _upgrade(settings, new)
        vault_database._store.signer = Signer(old)
        time.sleep(0.2)
    finally:
        done.set()
        for thread in threads:
            thread.join(5)
        vault_database._store.signer = Signer(old)
        _upgrade(settings, old)
    assert wrong == []
    assert set(counted) == {"acme", "globex"}


def test_a_killed_connection_is_503_and_the_next_one_is_clean(twins: Any, database: Any) -> None:
    with entered(twins[0]), pytest.raises(Busy), transaction() as tx:
        [pid] = tx.connection().exec_driver_sql("SELECT pg_backend_pid()").one()
        database("SELECT pg_terminate_backend(%s)", pid)
        time.sleep(0.05)
        tx.connection().exec_driver_sql("SELECT count(*) FROM users")
    assert family(twins[1]) == "Archer"


def test_the_key_cannot_be_read_by_those_who_sign_in(settings: Any, database: Any) -> None:
    for url in (settings.database_url, settings.ops_database_url):
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("SELECT * FROM ctx.keys")
            connection.rollback()
            cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'tenant'")
            source = str(cursor.fetchall())
    for inner, outer in database("SELECT inner_pad, outer_pad FROM ctx.keys"):
        assert bytes(inner).hex() not in source and bytes(outer).hex() not in source


def test_twins_who_begin_at_once_never_meet(twins: Any) -> None:
    assert _interleaved(twins, 60) == []


def _interleaved(twins: tuple[Tenant, Tenant], times: int) -> list[object]:
    """What went wrong when both tenants' people are looked up and marks left in turns by several threads."""
    wrong: list[object] = []

    def work(tenant: Tenant, number: int) -> None:
        for _ in range(times // 4):
            try:
                with entered(tenant), transaction() as tx:
                    seen = (
                        tx.connection()
                        .exec_driver_sql("SELECT DISTINCT tenant_id FROM users")
                        .scalars()
                        .all()
                    )
                    if seen != [tenant.id]:
                        wrong.append((tenant.slug, seen))
                if family(tenant) != FAMILY[tenant.slug]:
                    wrong.append((number, tenant.slug))
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(twins[number % 2], number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return wrong


def test_marks_of_now_are_not_moved_by_the_database_clock(in_acme: Tenant) -> None:
    assert marks.leave("kind", ids.digest("once"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert not marks.leave("kind", ids.digest("once"), dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
