"""Writing tenants and hosts, as the role `idp_ops`; reading them as a tenant is in `tenants`.

Each function is one transaction of the control plane. `version` and `changed_at` move with every change, which
is how the directories of all processes learn of it.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from idp import clock, ids
from idp.store.database import operations, transaction
from idp.store.durable.tenants import hosts, tenants

NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Host:
    """A host that a tenant wants to be reached by; it counts once `status` is `proved`."""

    host: str
    status: str
    challenge: str
    proved_at: dt.datetime | None
    missing_since: dt.datetime | None = None
    lapsed_at: dt.datetime | None = None

    @property
    def counts(self) -> bool:
        """Whether the tenant is reached by it."""
        return self.status == "proved" and self.lapsed_at is None


@dataclass(frozen=True, slots=True)
class Row:
    """A tenant as an operator sees it, with all its hosts."""

    id: UUID
    slug: str
    name: str
    status: str
    primary_host: str | None
    policy: dict[str, Any]
    branding: dict[str, Any]
    version: int
    created_at: dt.datetime
    hosts: tuple[Host, ...] = ()
    moving_host: str | None = None
    moving_since: dt.datetime | None = None
    not_before: dt.datetime | None = None


def create(slug: str, name: str, policy: dict[str, Any], branding: dict[str, Any]) -> Row | None:
    """A new tenant in `provisioning`, or None when the slug is taken."""
    at = clock.now()
    row = {
        "id": ids.uuid7(),
        "slug": slug,
        "name": name,
        "status": "provisioning",
        "policy": policy,
        "branding": branding,
        "version": 1,
        "changed_at": sa.func.clock_timestamp(),
        "visited_at": NEVER,
        "created_at": at,
    }
    with operations() as tx:
        made = tx.execute(insert(tenants).values(row).on_conflict_do_nothing().returning(tenants)).first()
    return None if made is None else _row(made, ())


def by_slug(slug: str) -> Row | None:
    """The tenant of that slug, whatever its status."""
    return next(iter(_rows(tenants.c.slug == slug)), None)


def every(limit: int = 100, after: str | None = None) -> tuple[Row, ...]:
    """At most `limit` tenants, by slug, those behind the slug `after`."""
    return _rows(*([tenants.c.slug > after] if after is not None else []), limit=limit)


def by_ids(these: set[UUID]) -> tuple[Row, ...]:
    """The tenants of these ids that are there, whatever their status, by slug."""
    return _rows(tenants.c.id.in_(these))


def _rows(*clauses: Any, limit: int | None = None) -> tuple[Row, ...]:
    with operations() as tx:
        found = tx.execute(sa.select(tenants).where(*clauses).order_by(tenants.c.slug).limit(limit)).all()
        of: dict[UUID, list[Host]] = {row.id: [] for row in found}
        for row in tx.execute(sa.select(hosts).where(hosts.c.tenant_id.in_(of)).order_by(hosts.c.host)):
            of[row.tenant_id].append(_host(row))
    return tuple(_row(row, tuple(of[row.id])) for row in found)


def _row(row: Any, own: tuple[Host, ...]) -> Row:
    return Row(
        row.id, row.slug, row.name, row.status, row.primary_host, row.policy, row.branding, row.version,
        row.created_at, own, row.moving_host, row.moving_since, row.not_before,
    )  # fmt: skip


def _host(row: Any) -> Host:
    return Host(row.host, row.status, row.challenge, row.proved_at, row.missing_since, row.lapsed_at)


def change(changes: dict[UUID, dict[str, Any]]) -> int:
    """Write what is given (name, status, primary_host, policy, not_before …) of several tenants, all or none."""
    with operations() as tx:
        return sum(_change(tx, tenant, values) for tenant, values in changes.items())


def _change(tx: Any, tenant: UUID, values: dict[str, Any]) -> int:
    told = {"version": tenants.c.version + 1, "changed_at": sa.func.clock_timestamp()}
    wanted = sa.update(tenants).where(tenants.c.id == tenant).values(**values, **told).returning(tenants.c.id)
    return len(tx.execute(wanted).all())


def purge(tenant: UUID) -> bool:
    """Delete a tenant with every row that it has; False when there is none."""
    with operations() as tx:
        wanted = sa.delete(tenants).where(tenants.c.id == tenant).returning(tenants.c.id)
        return tx.execute(wanted).first() is not None


def add_host(tenant: UUID, host: str) -> Host | None:
    """Note a host that a tenant wants, not proved yet; None when it is noted for any tenant already."""
    row = {
        "tenant_id": tenant,
        "id": ids.uuid7(),
        "host": host,
        "status": "pending",
        "challenge": ids.secret(),
        "created_at": clock.now(),
    }
    with operations() as tx:
        made = tx.execute(insert(hosts).values(row).on_conflict_do_nothing().returning(hosts)).first()
        if made is None:
            return None
        _change(tx, tenant, {})
    return _host(made)


def owner_of(host: str) -> UUID | None:
    """The tenant for which a host is noted, proved or not."""
    with operations() as tx:
        return tx.scalar(sa.select(hosts.c.tenant_id).where(hosts.c.host == host))


def set_host(tenant: UUID, host: str, status: str, at: dt.datetime | None) -> bool:
    """Write the outcome of a proof; False when the tenant has no such host."""
    wanted = sa.update(hosts).where(hosts.c.tenant_id == tenant, hosts.c.host == host)
    seen = {"status": status, "proved_at": at, "checked_at": at, "missing_since": None, "lapsed_at": None}
    with operations() as tx:
        done = tx.execute(wanted.values(seen).returning(hosts.c.id)).first()
        _change(tx, tenant, {})
    return done is not None


def drop_host(tenant: UUID, host: str) -> bool:
    """Forget a host; False when the tenant has no such host."""
    wanted = sa.delete(hosts).where(hosts.c.tenant_id == tenant, hosts.c.host == host).returning(hosts.c.id)
    with operations() as tx:
        done = tx.execute(wanted).first()
        _change(tx, tenant, {})
    return done is not None


def seen() -> tuple[UUID, ...]:
    """The tenants that the entered tenant sees, as web and worker see it: itself and nobody else."""
    with transaction(readonly=True) as tx:
        return tuple(tx.execute(sa.select(tenants.c.id)).scalars())
