"""Upstreams of a tenant: providers with which its people may sign in. The client secret is kept sealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from idp.errors import Conflict
from idp.store.database import transaction
from idp.store.durable.columns import binary, here, home, instant, json, tenant_table, text, unique

upstreams = tenant_table(
    "upstreams",
    text("name"),
    text("protocol"),
    text("issuer"),
    text("client_id"),
    text("kek_id", null=True),
    binary("sealed", null=True),
    binary("source_digest", null=True),
    text("status"),
    json("settings"),
    instant("created_at"),
    instant("updated_at"),
    unique("name"),
    unique("issuer"),
)

ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider that a tenant trusts: who it is (`issuer`), who we are there (`client_id`), and how it is used."""

    id: UUID
    name: str
    protocol: str
    issuer: str
    client_id: str
    kek_id: str | None
    sealed: bytes | None = field(repr=False)
    source_digest: bytes | None = field(repr=False)
    status: str
    settings: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime

    @property
    def active(self) -> bool:
        """Whether anybody may sign in by it."""
        return self.status == ACTIVE


_NAMES = tuple(Upstream.__dataclass_fields__)
_COLUMNS = tuple(upstreams.c[name] for name in _NAMES)


def _one(row: Any) -> Upstream:
    kept = dict(zip(_NAMES, row, strict=True))
    for name in ("sealed", "source_digest"):
        kept[name] = None if kept[name] is None else bytes(kept[name])
    return Upstream(**kept)


def _row(upstream: Upstream) -> dict[str, Any]:
    row = {name: getattr(upstream, name) for name in _NAMES}
    return {**row, "settings": dict(upstream.settings)}


def add(upstream: Upstream) -> None:
    """Keep an upstream. Raises Conflict when its name or its issuer is taken here."""
    try:
        with transaction() as tx:
            tx.execute(sa.insert(upstreams), {"tenant_id": home(), **_row(upstream)})
    except IntegrityError as error:
        raise Conflict(
            "There is an upstream of this name or of this issuer already.", rule="upstreams.unique"
        ) from error


def change(upstream: Upstream) -> bool:
    """Write an upstream as it is now; False when it is not there any more. Raises Conflict as `add` does."""
    mine = sa.update(upstreams).where(here(upstreams), upstreams.c.id == upstream.id)
    values = {name: value for name, value in _row(upstream).items() if name not in ("id", "created_at")}
    try:
        with transaction() as tx:
            return tx.execute(mine.values(values).returning(upstreams.c.id)).first() is not None
    except IntegrityError as error:
        raise Conflict(
            "There is an upstream of this name or of this issuer already.", rule="upstreams.unique"
        ) from error


def remove(upstream: UUID) -> bool:
    """Delete an upstream and every identity of it; False when there is none here."""
    gone = sa.delete(upstreams).where(here(upstreams), upstreams.c.id == upstream).returning(upstreams.c.id)
    with transaction() as tx:
        return tx.execute(gone).first() is not None


def by_id(upstream: UUID) -> Upstream | None:
    """The upstream of that id, or None."""
    return _found(upstreams.c.id == upstream)


def by_name(name: str) -> Upstream | None:
    """The upstream of that name, or None."""
    return _found(upstreams.c.name == name)


def held(upstream: UUID) -> Upstream | None:
    """The upstream, its row locked until the transaction ends, so that removing it waits or has happened."""
    wanted = sa.select(*_COLUMNS).where(here(upstreams), upstreams.c.id == upstream)
    with transaction() as tx:
        row = tx.execute(wanted.with_for_update(key_share=True)).one_or_none()
    return None if row is None else _one(row)


def _found(clause: Any) -> Upstream | None:
    with transaction(readonly=True) as tx:
        row = tx.execute(sa.select(*_COLUMNS).where(here(upstreams), clause)).one_or_none()
    return None if row is None else _one(row)


def every() -> tuple[Upstream, ...]:
    """All upstreams of the tenant, by name."""
    wanted = sa.select(*_COLUMNS).where(here(upstreams)).order_by(upstreams.c.name)
    with transaction(readonly=True) as tx:
        return tuple(map(_one, tx.execute(wanted)))


def under_others(kek_id: str) -> tuple[Upstream, ...]:
    """Those whose secret another ring key than `kek_id` seals, held until the transaction ends."""
    other = sa.and_(upstreams.c.kek_id.is_not(None), upstreams.c.kek_id != kek_id)
    with transaction() as tx:
        return tuple(
            map(_one, tx.execute(sa.select(*_COLUMNS).where(here(upstreams), other).with_for_update()))
        )


def sealed_by() -> dict[str, int]:
    """How many secrets of the tenant's upstreams each ring key seals."""
    counted = sa.select(upstreams.c.kek_id, sa.func.count()).where(
        here(upstreams), upstreams.c.kek_id.is_not(None)
    )
    with transaction(readonly=True) as tx:
        return {row[0]: row[1] for row in tx.execute(counted.group_by(upstreams.c.kek_id))}
