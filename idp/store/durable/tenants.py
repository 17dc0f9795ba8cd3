"""Tenants and their hosts: the control plane. Operators write them; a tenant sees its own row."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from idp.store.database import outside, transaction
from idp.store.durable.columns import here, instant, json, metadata, text, uuid
from idp.tenants import Tenant, current, entered

tenants = Table(
    "tenants",
    metadata,
    uuid("id"),
    text("slug"),
    text("name"),
    text("status"),
    text("primary_host", null=True),
    json("policy"),
    json("branding"),
    Column("version", BigInteger, nullable=False),
    instant("changed_at"),
    instant("visited_at"),
    instant("created_at"),
    text("moving_host", null=True),
    instant("moving_since", null=True),
    instant("not_before", null=True),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("slug"),
    Index("tenants_changed_at", "changed_at"),
)

hosts = Table(
    "hosts",
    metadata,
    uuid("tenant_id"),
    uuid("id"),
    text("host"),
    text("status"),
    text("challenge"),
    instant("proved_at", null=True),
    instant("created_at"),
    instant("checked_at", null=True),
    instant("missing_since", null=True),
    instant("lapsed_at", null=True),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("host"),
    Index("hosts_host", "tenant_id", "host"),
)


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A row of the control plane with its proved hosts.

    While `moving_since` is set, the address of `moving_host` (None: the one without a host of its own) is an
    issuer as well.
    """

    id: UUID
    slug: str
    name: str
    status: str
    primary_host: str | None
    policy: dict[str, Any]
    branding: dict[str, Any]
    version: int
    hosts: tuple[str, ...] = ()
    moving_host: str | None = None
    moving_since: dt.datetime | None = None
    not_before: dt.datetime | None = None


def find(slug: str | None = None, host: str | None = None) -> UUID | None:
    """The id of the tenant with this slug or proved host, asked of the directory's function."""
    with outside() as connection:
        row = connection.exec_driver_sql("SELECT id FROM directory.find(%s, %s)", (slug, host)).first()
    return None if row is None else cast(UUID, row[0])


def changed(since: dt.datetime) -> tuple[list[tuple[UUID, int]], dt.datetime]:
    """Which tenants changed after `since`, with their versions, and Postgres' time of this answer."""
    with outside() as connection:
        rows = connection.exec_driver_sql("SELECT id, version, at FROM directory.changed(%s)", (since,)).all()
    return [(row[0], row[1]) for row in rows if row[0] is not None], rows[-1][2]


def due(after: UUID, at: dt.datetime, most: int = 100) -> list[UUID]:
    """At most 100 tenants, beyond `after` in order of id, for which the worker has something to do."""
    with outside() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM directory.due(%s, %s, %s)", (after, at, most)).all()
    return [row[0] for row in rows]


def keyless(at: dt.datetime) -> str | None:
    """The slug of an active tenant that has no key to sign with at `at`; None where every one has."""
    with outside() as connection:
        return cast(str | None, connection.exec_driver_sql("SELECT directory.keyless(%s)", (at,)).scalar())


@dataclass(frozen=True, slots=True)
class Behind:
    """An active tenant whose keys for one algorithm are behind their schedule."""

    slug: str
    alg: str
    lonely: bool
    """Whether there is no published key that will follow the active one."""


def keys_behind(at: dt.datetime) -> Behind | None:
    """One tenant whose keys are behind their schedule at `at`; None where every one's are not. Raises Unavailable."""
    with outside() as connection:
        row = connection.exec_driver_sql("SELECT * FROM directory.keys_behind(%s)", (at,)).first()
    return None if row is None else Behind(*row)


def lag(at: dt.datetime) -> float:
    """Seconds that the oldest work of any tenant has waited for the worker. Raises Unavailable."""
    with outside() as connection:
        return float(cast(float, connection.exec_driver_sql("SELECT directory.lag(%s)", (at,)).scalar()))


def read(tenant_id: UUID) -> TenantRow | None:
    """The row of one tenant, read with that tenant's own context."""
    with entered(Tenant(tenant_id, "", "", "", "")), transaction(readonly=True) as tx:
        row = tx.execute(sa.select(tenants).where(tenants.c.id == tenant_id)).one_or_none()
        if row is None:
            return None
        own = tx.execute(sa.select(hosts.c.host).where(hosts.c.tenant_id == tenant_id, counting()))
        return as_row(row, tuple(sorted(own.scalars())))


def counting() -> Any:
    """The clause of hosts that count: proved, and still so when they were looked at last."""
    return sa.and_(hosts.c.status == "proved", hosts.c.lapsed_at.is_(None))


@dataclass(frozen=True, slots=True)
class Proved:
    """A host that counts, what its record must hold, and since when it did not."""

    host: str
    challenge: str
    missing_since: dt.datetime | None


def hosts_looked_at_before(at: dt.datetime) -> tuple[Proved, ...]:
    """The hosts of the entered tenant that count and whose records were looked at before `at` or never."""
    before = sa.or_(hosts.c.checked_at.is_(None), hosts.c.checked_at < at)
    query = sa.select(hosts.c.host, hosts.c.challenge, hosts.c.missing_since).where(
        here(hosts), counting(), before
    )
    with transaction(readonly=True) as tx:
        return tuple(Proved(*row) for row in tx.execute(query.order_by(hosts.c.host)))


def looked_at(host: str, at: dt.datetime, missing_since: dt.datetime | None) -> None:
    """Note when a host's record was looked at, and since when it is missing."""
    seen = {"checked_at": at, "missing_since": missing_since}
    with transaction() as tx:
        tx.execute(hosts.update().where(here(hosts), hosts.c.host == host).values(seen))


def lapse(host: str, at: dt.datetime) -> bool:
    """Let a host count no more, and tell the directories; False when it did not count."""
    mine = hosts.update().where(here(hosts), hosts.c.host == host, counting())
    told = {"version": tenants.c.version + 1, "changed_at": sa.func.clock_timestamp()}
    with transaction() as tx:
        if tx.execute(mine.values(lapsed_at=at).returning(hosts.c.id)).first() is None:
            return False
        tx.execute(tenants.update().where(tenants.c.id == current().id).values(told))
        return True


def as_row(row: Any, proved: tuple[str, ...] = ()) -> TenantRow:
    """A TenantRow from a row of the table."""
    return TenantRow(
        row.id, row.slug, row.name, row.status, row.primary_host, row.policy, row.branding, row.version, proved,
        row.moving_host, row.moving_since, row.not_before,
    )  # fmt: skip


def visited(at: dt.datetime) -> None:
    """Note that the worker has looked after the entered tenant at `at`."""
    with transaction() as tx:
        tx.execute(tenants.update().where(tenants.c.id == current().id).values(visited_at=at))
