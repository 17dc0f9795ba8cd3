"""Applications of the platform, as the role `idp_ops`: registered once, with a row in each tenant that is to have them.

Each function is one transaction. The tenants that it touches get a new version in it, which is how processes and the
worker hear of it: whoever wrote here may vanish, and the worker still brings the tenants' clients into step.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import insert

from idp.store.database import operations
from idp.store.durable.clients import Client
from idp.store.durable.columns import instant, json, metadata, text, uuid
from idp.store.durable.enabled_applications import enabled_applications, kept, secrets
from idp.store.durable.tenants import tenants

applications = Table(
    "applications",
    metadata,
    uuid("id"),
    text("client_id"),
    json("metadata"),
    json("settings"),
    json("secrets"),
    text("status"),
    Column("everywhere", Boolean, nullable=False),
    instant("created_at"),
    instant("updated_at"),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("client_id"),
)

_OFF = "suspended"
_COPIED = ("client_id", "metadata", "settings", "secrets")


@dataclass(frozen=True, slots=True)
class Application:
    """An application as it is registered; its client's `id` is its own.

    `everywhere`: enabled for every tenant, those that come later too, but for those that were taken out.
    """

    client: Client
    everywhere: bool = False


def add(one: Application) -> bool:
    """Register an application, enabled nowhere yet; False when its client_id is taken."""
    row = {**_values(one), "id": one.client.id, "client_id": one.client.client_id,
           "created_at": one.client.created_at}  # fmt: skip
    with operations() as tx:
        made = insert(applications).values(row).on_conflict_do_nothing().returning(applications.c.id)
        return tx.execute(made).first() is not None


def by_client_id(client_id: str) -> Application | None:
    """The application of that name on the wire."""
    return next(iter(_read(applications.c.client_id == client_id)), None)


def every(limit: int = 100, after: str | None = None) -> tuple[Application, ...]:
    """At most `limit` applications, by client_id, those behind the client_id `after`."""
    return _read(*([applications.c.client_id > after] if after is not None else []), limit=limit)


def enabled(application: UUID) -> dict[UUID, bool]:
    """The tenants that have a row of the application, and whether it is enabled there."""
    rows = sa.select(enabled_applications.c.tenant_id, enabled_applications.c.enabled).where(_of(application))
    with operations() as tx:
        return {row.tenant_id: row.enabled for row in tx.execute(rows)}


def change(one: Application) -> None:
    """Write what an application is, in every tenant that has a row of it too."""
    values = _values(one)
    same = {name: values[name] for name in _COPIED if name in values}
    status = sa.case((enabled_applications.c.enabled, one.client.status), else_=_OFF)
    with operations() as tx:
        tx.execute(sa.update(applications).where(applications.c.id == one.client.id).values(values))
        tx.execute(sa.update(enabled_applications).where(_of(one.client.id)).values(**same, status=status))
        _tell(tx, one.client.id)


def switch(one: Application, these: set[UUID], *, on: bool) -> None:
    """Enable it for tenants, or take it from them."""
    status = one.client.status if on else _OFF
    with operations() as tx:
        if on:
            _spread(tx, one.client.id, tenants.c.id.in_(these))
        here = enabled_applications.c.tenant_id.in_(these)
        tx.execute(
            sa.update(enabled_applications).where(_of(one.client.id), here).values(enabled=on, status=status)
        )
        _tell(tx, one.client.id, tenants.c.id.in_(these))


def switch_everywhere(one: Application, *, on: bool) -> None:
    """Enable it for every tenant, those to come included, or for none.

    A tenant that comes between the two transactions finds the first of them done when it is finished.
    """
    with operations() as tx:
        tx.execute(sa.update(applications).where(applications.c.id == one.client.id).values(everywhere=on))
    status = one.client.status if on else _OFF
    with operations() as tx:
        if on:
            _spread(tx, one.client.id, sa.true())
        tx.execute(
            sa.update(enabled_applications).where(_of(one.client.id)).values(enabled=on, status=status)
        )
        _tell(tx, one.client.id)


def arrive(tenant: UUID) -> None:
    """Give a tenant that is being made the rows of what is enabled everywhere."""
    with operations() as tx:
        for one in tx.execute(sa.select(applications.c.id).where(applications.c.everywhere)).scalars().all():
            _spread(tx, one, tenants.c.id == tenant)


def remove(application: UUID) -> None:
    """Forget an application with its rows in all tenants."""
    with operations() as tx:
        _tell(tx, application)
        tx.execute(sa.delete(enabled_applications).where(_of(application)))
        tx.execute(sa.delete(applications).where(applications.c.id == application))


def _spread(tx: Any, application: UUID, which: Any) -> None:
    """Rows for the tenants that have none, enabled."""
    copied = (applications.c[name] for name in _COPIED)
    source = (
        sa.select(
            tenants.c.id,
            sa.func.gen_random_uuid(),
            applications.c.id,
            *copied,
            applications.c.status,
            sa.true(),
        )
        .select_from(tenants.join(applications, applications.c.id == application))
        .where(which)
    )
    names = ("tenant_id", "id", "application_id", *_COPIED, "status", "enabled")
    tx.execute(insert(enabled_applications).from_select(names, source).on_conflict_do_nothing())


def _tell(tx: Any, application: UUID, *which: Any) -> None:
    """A new version for the tenants that have a row of the application."""
    mine = sa.select(enabled_applications.c.tenant_id).where(_of(application))
    told = {"version": tenants.c.version + 1, "changed_at": sa.func.clock_timestamp()}
    tx.execute(sa.update(tenants).where(tenants.c.id.in_(mine), *which).values(told))


def _of(application: UUID) -> Any:
    return enabled_applications.c.application_id == application


def _values(one: Application) -> dict[str, Any]:
    return {
        "metadata": one.client.metadata,
        "settings": one.client.settings,
        "secrets": [kept(each) for each in one.client.secrets],
        "status": one.client.status,
        "everywhere": one.everywhere,
        "updated_at": one.client.updated_at,
    }


def _read(*clauses: Any, limit: int | None = None) -> tuple[Application, ...]:
    wanted = sa.select(applications).where(*clauses).order_by(applications.c.client_id).limit(limit)
    with operations() as tx:
        return tuple(_application(row) for row in tx.execute(wanted))


def _application(row: Any) -> Application:
    client = Client(
        row.id, row.client_id, row.metadata, row.settings, row.status, row.created_at, row.updated_at,
        secrets(row.secrets), row.id,
    )  # fmt: skip
    return Application(client, row.everywhere)
