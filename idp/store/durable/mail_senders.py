"""From which address a tenant's messages come, and by which mail server of its own: one row, its password sealed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from idp.store.database import transaction
from idp.store.durable.columns import binary, here, home, instant, tenant_table, text

mail_senders = tenant_table(
    "mail_senders",
    text("address"),
    text("name", null=True),
    text("smtp", null=True),
    text("kek_id", null=True),
    binary("sealed", null=True),
    binary("source_digest", null=True),
    instant("created_at"),
    instant("updated_at"),
)


@dataclass(frozen=True, slots=True)
class Sender:
    """An address, the name beside it, and the URL of a mail server without its password; None: the platform's."""

    address: str
    name: str | None
    smtp: str | None
    kek_id: str | None
    sealed: bytes | None = field(repr=False)
    source_digest: bytes | None = field(repr=False)
    created_at: datetime
    updated_at: datetime


_NAMES = tuple(Sender.__dataclass_fields__)
_FIND = sa.select(*(mail_senders.c[name] for name in _NAMES)).where(
    mail_senders.c.tenant_id == sa.bindparam("tenant")
)


def put(sender: Sender) -> None:
    """Keep the tenant's sender in place of the one that it has."""
    values = {name: getattr(sender, name) for name in _NAMES}
    # Its row's id is the tenant's, so that there can be no second one.
    row = insert(mail_senders).values(tenant_id=home(), id=home(), **values)
    changed: dict[str, Any] = {name: value for name, value in values.items() if name != "created_at"}
    with transaction() as tx:
        tx.execute(row.on_conflict_do_update(index_elements=["tenant_id", "id"], set_=changed))


def find() -> Sender | None:
    """The tenant's sender; None where its messages come from the platform's."""
    with transaction(readonly=True) as tx:
        row = tx.execute(_FIND, {"tenant": home()}).one_or_none()
    if row is None:
        return None
    kept = dict(zip(_NAMES, row, strict=True))
    for name in ("sealed", "source_digest"):
        kept[name] = None if kept[name] is None else bytes(kept[name])
    return Sender(**kept)


def remove() -> bool:
    """Forget it; False where there is none."""
    gone = sa.delete(mail_senders).where(here(mail_senders)).returning(mail_senders.c.id)
    with transaction() as tx:
        return tx.execute(gone).first() is not None
