"""What services did in their own name: kept by tenant, in batches."""

import datetime as dt

from idp import clock
from idp.ids import uuid7
from idp.store.durable import activity
from idp.store.durable.activity import Activity
from idp.tenants import entered


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
