"""What a process knows of tenants: it hears of every change, of a purge too, and keeps nothing for ever."""

from typing import Any

import pytest

from idp import directory
from idp.audit import SYSTEM
from idp.control import tenants
from idp.errors import Busy
from idp.store.durable import control_plane
from idp.store.durable import tenants as tenant_store
from idp.tenants import Tenant


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The ids of the rows that were read since."""
    found: list[Any] = []
    read = tenant_store.read

    def counted(tenant_id: Any) -> Any:
        found.append(tenant_id)
        return read(tenant_id)

    monkeypatch.setattr(tenant_store, "read", counted)
    return found


def test_a_purge_is_heard_by_every_process_before_the_rows_go(
    acme: Tenant, database: Any, monkeypatch: Any
) -> None:
    """This directory plays another process: the command's own forgetting does not reach it."""
    assert directory.resolve("acme") is not None
    directory.poll()
    monkeypatch.setattr(directory, "forget", lambda _tenant_id: None)
    seen: list[tuple[float, Any]] = []

    def wait(seconds: float) -> None:
        directory.poll()
        seen.append((seconds, directory.resolve("acme")))

    tenants.delete("acme", SYSTEM, purge=True, wait=wait)
    assert seen == [(1.5, None)]
    assert directory.resolve("acme") is None and directory.by_id(acme.id) is None
    assert database("SELECT count(*) FROM tenants WHERE slug = 'acme'") == [(0,)]


def test_the_wait_is_longer_than_two_questions(acme: Tenant) -> None:
    assert 2 * directory.POLL < tenants.HEARD <= 1.5


def test_what_went_unheard_goes_within_a_minute(acme: Tenant, frozen: Any) -> None:
    with frozen() as hands:
        directory.forget_all()
        directory.poll()  # heard of already, so that the thread which asks beside us drops nothing
        assert directory.resolve("acme") is not None
        control_plane.purge(acme.id)
        directory.poll()
        assert directory.resolve("acme") is not None, "a row that is missing is reported to nobody"
        hands.tick(directory.REREAD + 1)
        assert directory.resolve("acme") is None
        assert directory.by_id(acme.id) is None


def test_a_row_is_read_again_once_a_minute_and_no_more(acme: Tenant, frozen: Any, reads: list[Any]) -> None:
    with frozen() as hands:
        directory.forget_all()
        for _ in range(5):
            assert directory.resolve("acme") is not None
        assert reads == [acme.id]
        hands.tick(directory.REREAD + 1)
        for _ in range(5):
            assert directory.resolve("acme") is not None
        assert reads == [acme.id] * 2


def test_without_postgres_a_known_tenant_goes_on(acme: Tenant, frozen: Any, monkeypatch: Any) -> None:
    with frozen() as hands:
        directory.forget_all()
        known = directory.resolve("acme")

        def away(_tenant_id: Any) -> Any:
            raise Busy

        monkeypatch.setattr(tenant_store, "read", away)
        hands.tick(directory.REREAD + 1)
        assert directory.resolve("acme") == known
        hands.tick(directory.REREAD + 1)
        assert directory.by_id(acme.id) == known


def test_what_is_read_again_unchanged_keeps_its_clients(in_acme: Tenant, frozen: Any) -> None:
    with frozen() as hands:
        directory.forget_all()
        directory.poll()
        directory.resolve("acme")
        first = directory.client("web")
        hands.tick(directory.REREAD + 1)
        directory.resolve("acme")
        directory.poll()
        assert directory.client("web") is first
