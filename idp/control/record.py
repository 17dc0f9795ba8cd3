"""Operators' verbs for what was recorded: events, their chain, and why a request was refused."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from idp import audit, explain, seals
from idp.control import tenants
from idp.control.tenants import as_tenant, show
from idp.store.durable import audit_log
from idp.store.durable.refusals import Refused
from idp.tenants import Tenant, entered


def events(slug: str, event: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """The newest events of a tenant, the newest first. Raises NotFound."""
    with entered(as_tenant(show(slug))):
        rows = [audit.opened(row) for row in audit_log.recent(limit, event)]
    return [
        {
            "id": str(row.id),
            "at": row.at.isoformat(timespec="milliseconds"),
            "event": row.event,
            "actor": row.actor,
            "facts": row.facts,
            "request_id": row.request_id,
        }
        for row in rows
    ]


def verify(slug: str) -> dict[str, Any]:
    """Whether a tenant's chain of seals holds, and how many rows it does not cover yet. Raises NotFound."""
    return _verified(as_tenant(show(slug)))


def verify_every() -> dict[str, Any]:
    """The same of every tenant, each by its slug under `tenants`; `whole` where all of them are."""
    verdicts = {tenant.slug: _verified(tenant) for tenant in every()}
    return {"tenants": verdicts, "whole": all(verdict["whole"] for verdict in verdicts.values())}


def _verified(tenant: Tenant) -> dict[str, Any]:
    with entered(tenant):
        verdict = seals.verify()
    return {**asdict(verdict), "broken": list(verdict.broken), "whole": verdict.whole}


def refusals(request_id: str, slug: str | None = None) -> list[dict[str, Any]]:
    """What was refused under a request's id, in one tenant or wherever it was. Raises NotFound.

    Without `slug` also what was refused outside of every tenant.
    """
    places = [as_tenant(show(slug))] if slug else every()
    for tenant in places:
        with entered(tenant):
            found = explain.look_up(request_id)
        if found:
            return [_refusal(tenant.slug, row) for row in found]
    return [] if slug else [_refusal(None, row) for row in explain.look_up_outside(request_id)]


def _refusal(slug: str | None, row: Refused) -> dict[str, Any]:
    at = row.at.isoformat(timespec="milliseconds")
    return {"tenant": slug, **asdict(row), "id": str(row.id), "at": at}


def every() -> Iterator[Tenant]:
    """Every tenant, by slug."""
    after: str | None = None
    while page := tenants.list_(100, after):
        yield from (as_tenant(row) for row in page)
        after = page[-1].slug
