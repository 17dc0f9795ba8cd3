"""What has expired is swept up in its own tenant; what has not stays."""

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest

from idp import clock, directory, upkeep
from idp.jobs.worker import Worker
from idp.store.durable import marks
from idp.tenants import Tenant, entered


def left(database: Any, table: str, tenant: Tenant) -> int:
    return int(database(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", str(tenant.id))[0][0])


def test_only_what_expired_goes_and_only_the_tenants_own(twins: tuple[Tenant, Tenant], database: Any) -> None:
    now = clock.now()
    for tenant in twins:
        with entered(tenant):
            assert marks.leave("assertion", b"old", now - dt.timedelta(hours=1))
            assert marks.leave("assertion", b"live", now + dt.timedelta(hours=1))
    acme, globex = twins
    with entered(acme):
        assert upkeep.sweep() >= 1
        assert not marks.leave("assertion", b"live", now)
    assert left(database, "marks", acme) == 1
    assert left(database, "marks", globex) == 2


def test_due_pages_through_every_tenant_once(twins: tuple[Tenant, Tenant], database: Any) -> None:
    database("UPDATE tenants SET visited_at = now() - interval '1 day'")
    found = list(upkeep.due())
    assert sorted(found) == sorted(tenant.id for tenant in twins)


def test_tn04_a_job_without_a_tenant_raises(vault: Any) -> None:
    from idp import outbox, seals
    from idp.signing import rotation
    from idp.tenants import NoTenant

    for job in (outbox.deliver, seals.seal, rotation.run, upkeep.sweep, upkeep.visited):
        with pytest.raises(NoTenant):
            job()


def test_a_tenant_that_cannot_be_read_does_not_hold_up_the_next(
    twins: tuple[Tenant, Tenant], database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    database("UPDATE tenants SET visited_at = now() - interval '1 day'")
    acme, _ = twins
    by_id = directory.by_id
    monkeypatch.setattr(directory, "by_id", lambda number: 1 / 0 if number == acme.id else by_id(number))
    Worker().round()
    visited = dict(database("SELECT slug, visited_at > now() - interval '1 minute' FROM tenants"))
    assert visited == {"acme": False, "globex": True}


def test_the_worker_says_that_it_lives(vault: Any) -> None:
    from idp.store import redis

    upkeep.beat()
    assert redis.beats(upkeep.WORKER)


def test_an_unknown_tenant_is_passed_over(twins: tuple[Tenant, Tenant]) -> None:
    worker = Worker()
    worker._changed.add(uuid4())
    assert worker.round() >= 0
