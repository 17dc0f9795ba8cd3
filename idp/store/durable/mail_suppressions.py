"""Addresses to which a tenant's messages came back for good, so that none is sent there any more."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from idp.store.database import transaction
from idp.store.durable.columns import (
    belongs,
    first_counts,
    here,
    home,
    index,
    instant,
    tenant_table,
    text,
    unique,
    uuid,
)

mail_suppressions = tenant_table(
    "mail_suppressions",
    text("address"),
    text("address_norm"),
    uuid("user_id", null=True),
    text("why"),
    text("status"),
    instant("created_at"),
    unique("address_norm"),
    belongs("user_id", "users"),
    index("mail_suppressions", "user_id"),
)


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address, by what it is looked up, whose it was when it came back, why, and with which status."""

    id: UUID
    address: str
    address_norm: str
    user_id: UUID | None
    why: str
    status: str
    created_at: datetime


_NAMES = tuple(Suppression.__dataclass_fields__)
_COLUMNS = tuple(mail_suppressions.c[name] for name in _NAMES)
_ADD = first_counts(mail_suppressions)
_FIND = sa.select(*_COLUMNS).where(
    mail_suppressions.c.tenant_id == sa.bindparam("tenant"),
    mail_suppressions.c.address_norm == sa.bindparam("wanted"),
)


def add(suppression: Suppression) -> bool:
    """Keep one; False where its address is suppressed already."""
    values = {name: getattr(suppression, name) for name in _NAMES}
    with transaction() as tx:
        return tx.execute(_ADD, {"tenant_id": home(), **values}).first() is not None


def find(address_norm: str) -> Suppression | None:
    """That of an address, or None."""
    with transaction(readonly=True) as tx:
        row = tx.execute(_FIND, {"tenant": home(), "wanted": address_norm}).one_or_none()
    return None if row is None else Suppression(*row)


def every(limit: int) -> tuple[Suppression, ...]:
    """The newest, at most `limit`."""
    wanted = sa.select(*_COLUMNS).where(here(mail_suppressions))
    newest = wanted.order_by(mail_suppressions.c.created_at.desc(), mail_suppressions.c.id.desc()).limit(
        limit
    )
    with transaction(readonly=True) as tx:
        return tuple(Suppression(*row) for row in tx.execute(newest))


def remove(address_norm: str) -> bool:
    """Write to an address again; False where it is not suppressed."""
    mine = sa.delete(mail_suppressions).where(
        here(mail_suppressions), mail_suppressions.c.address_norm == address_norm
    )
    with transaction() as tx:
        return tx.execute(mine.returning(mail_suppressions.c.id)).first() is not None
