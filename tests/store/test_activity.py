"""What services did in their own name: kept by tenant, in batches."""

import datetime as dt
from uuid import UUID, uuid4

import pytest

from idp import clock, journal
from idp.ids import uuid7
from idp.store.durable import activity
from idp.store.durable.activity import Activity
from idp.tenants import Tenant, entered


def make(at=None, **changes):
    values = {
        "id": uuid7(),
        "client_id": uuid7(),
        "kind": "client_credentials",
        "scopes": ["orders.read"],
        "count": 3,
    }
    return Activity(**{**values, "at": at or clock.now(), "request_id": None, **changes})


def test_each_tenant_reads_its_own_newest_first(acme, globex):
    old, new = make(clock.now() - dt.timedelta(minutes=1)), make()
    with entered(acme):
        activity.insert_all([old, new])
        activity.insert_all([])
        assert activity.recent() == (new, old)
        assert activity.recent(1) == (new,)
    with entered(globex):
        assert activity.recent() == ()
        theirs = make(id=new.id)
        activity.insert_all([theirs])
        assert activity.recent() == (theirs,)
    with entered(acme):
        assert activity.recent() == (new, old)


def test_purging_takes_only_ones_own(acme, globex):
    old = clock.now() - dt.timedelta(days=100)
    for tenant in (acme, globex):
        with entered(tenant):
            activity.insert_all([make(old), make()])
    with entered(acme):
        assert activity.purge(clock.now() - dt.timedelta(days=90)) == 1
        assert len(activity.recent()) == 1
    with entered(globex):
        assert len(activity.recent()) == 2


def test_rows_of_many_tenants_go_each_into_its_own(acme, globex):
    mine, twin = make(), make(scopes=[])
    theirs = make(id=mine.id, request_id="r1")
    activity.insert_each({})
    activity.insert_each({acme.id: [mine, twin], globex.id: [theirs]})
    with entered(acme):
        assert set(map(str, activity.recent())) == {str(mine), str(twin)}
    with entered(globex):
        assert activity.recent() == (theirs,)


def test_of_many_tenants_all_or_none_are_written(acme, globex):
    with pytest.raises(Exception, match="foreign key"):
        activity.insert_each({acme.id: [make()], uuid4(): [make()], globex.id: [make()]})
    for tenant in (acme, globex):
        with entered(tenant):
            assert activity.recent() == ()


def test_a_tenant_that_is_gone_takes_no_others_lines_along(acme, globex):
    gone = Tenant(UUID(int=7), "gone", "Gone", "active", "http://localhost:8000/t/gone")
    queue, client = journal.Journal(), uuid4()
    for tenant in (acme, gone, globex, globex):
        queue._lines.append((tenant, journal.Issued(client, "client_credentials", ("a",), clock.now(), None)))
    assert queue.flush() == 0
    for tenant, count in ((acme, 1), (globex, 2)):
        with entered(tenant):
            assert [row.count for row in activity.recent()] == [count]
