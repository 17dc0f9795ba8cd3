"""What the worker needs to know and to do besides its jobs: which tenants are due, what has expired.

Postgres' rows outlive their use by a while, because lifetimes are judged when a row is read; here they are
swept up, in small portions, so that no request waits for it.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from uuid import UUID

from idp import clock, explain
from idp.store import redis
from idp.store.database import transaction
from idp.store.durable import (
    activity,
    grants,
    links,
    mailed_codes,
    marks,
    outbox,
    refusals,
    registrations,
    remembered_devices,
    sessions,
    tenants,
    throttles,
)
from idp.tenants import current

WORKER = "worker"
"""Name under which the worker says that it lives."""
BEAT = 15
"""Seconds for which a heartbeat counts."""
PORTION = 1_000

_SESSIONS_KEPT = dt.timedelta(days=30)
_GRANTS_KEPT = dt.timedelta(days=30)
_ACTIVITY_KEPT = dt.timedelta(days=90)
_THROTTLES_KEPT = dt.timedelta(days=1)
_MARKS_KEPT = dt.timedelta(minutes=10)
_LINKS_KEPT = dt.timedelta(days=7)
_MAILED_CODES_KEPT = dt.timedelta(days=1)
_UNDELIVERED_KEPT = dt.timedelta(days=30)


def due() -> Iterator[UUID]:
    """The tenants that have work now, each once, a page of at most 100 at a time. Raises Busy."""
    after, at = UUID(int=0), clock.now()
    while page := tenants.due(after, at):
        yield from page
        after = page[-1]


def visited() -> None:
    """Note that the entered tenant has been looked after."""
    tenants.visited(clock.now())


def beat() -> None:
    """Say that the worker lives. Raises Busy when Redis is away."""
    redis.beat(WORKER, BEAT)


def sweep() -> int:
    """Delete what the entered tenant has no use for any more; how many rows. Raises Busy."""
    now = clock.now()
    # One transaction: ten thousand quiet tenants cost one commit each, not one for every kind of row.
    with transaction():
        return (
            _portions(marks.purge, now - _MARKS_KEPT)
            + _portions(sessions.purge, now - _SESSIONS_KEPT)
            + _portions(grants.purge, now - _GRANTS_KEPT)
            + _portions(throttles.purge, now - _THROTTLES_KEPT)
            + _portions(outbox.purge, now - _UNDELIVERED_KEPT)
            + _portions(links.purge, now - _LINKS_KEPT)
            + _portions(mailed_codes.purge, now - _MAILED_CODES_KEPT)
            + _portions(registrations.purge_initial, now)
            + _portions(remembered_devices.purge, now)
            + registrations.purge_unused(now - _unused(), now)
            + registrations.purge_described(now - _unused())
            + refusals.purge(now - explain.KEPT)
            + activity.purge(now - _ACTIVITY_KEPT)
        )


def _unused() -> dt.timedelta:
    return dt.timedelta(seconds=current().policy.unused_client_lifetime)


def _portions(purge: Callable[[dt.datetime, int], int], before: dt.datetime) -> int:
    total = 0
    for _ in range(10):
        gone = purge(before, PORTION)
        total += gone
        if gone < PORTION:
            break
    return total
