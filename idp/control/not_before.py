"""Operators' verb: from now on nothing counts that a tenant issued until now, and everybody signs in again.

For the hour after rows came back that had been changed since: an asynchronous failover, a restore. What was
revoked, used or ended may be good there again, and nobody knows which of it.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from idp import audit, clock
from idp.audit import Actor, Event
from idp.control import tenants
from idp.control.telling import changed
from idp.store.database import transaction
from idp.store.durable import control_plane
from idp.store.durable.control_plane import Row
from idp.tenants import entered

PAGE = 100


@dataclass(frozen=True, slots=True)
class Done:
    """The instant, and how many tenants it was set for."""

    not_before: dt.datetime
    tenants: int

    def described(self) -> dict[str, Any]:
        """As an answer shows it."""
        return {"not_before": self.not_before.isoformat(), "tenants": self.tenants}


def one(slug: str, actor: Actor | None = None) -> Done:
    """Let nothing of one tenant count that is older than now. Raises NotFound, Busy."""
    at = clock.now()
    _set(tenants.show(slug), at, actor)
    return Done(at, 1)


def every(actor: Actor | None = None) -> Done:
    """The same for every tenant, whatever its status, one after the other; the same instant for all.

    Raises Busy; those that were reached by then keep it, and the command may be repeated.
    """
    at, count, after = clock.now(), 0, None
    while page := tenants.list_(PAGE, after):
        for row in page:
            _set(row, at, actor)
        count, after = count + len(page), page[-1].slug
    return Done(at, count)


def _set(row: Row, at: dt.datetime, actor: Actor | None) -> None:
    if row.not_before is not None and row.not_before >= at:
        return
    with entered(tenants.as_tenant(row)):
        with transaction():
            audit.record(Event.TENANT_NOT_BEFORE_SET, actor, at=at)
            control_plane.change({row.id: {"not_before": at}})
        changed()
