"""By which address each client last came while its tenant moves: one row for each client and issuer."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.clients import clients
from idp.store.durable.columns import belongs, here, home, instant, tenant_table, text, unique, uuid

issuer_uses = tenant_table(
    "issuer_uses",
    uuid("client_id"),
    text("issuer"),
    instant("last_at"),
    belongs("client_id", "clients"),
    unique("client_id", "issuer"),
)


@dataclass(frozen=True, slots=True)
class Use:
    """When the client with this public `client_id` was last given tokens as of `issuer`."""

    client_id: str
    issuer: str
    last_at: dt.datetime


def note(client_id: UUID, issuer: str, at: dt.datetime) -> bool:
    """Note that a client came to `issuer` at `at`; False when the client has gone meanwhile."""
    noted = (
        insert(issuer_uses)
        .values(tenant_id=home(), id=uuid7(), client_id=client_id, issuer=issuer, last_at=at)
        .on_conflict_do_update(
            index_elements=["tenant_id", "client_id", "issuer"],
            set_={"last_at": at},
            where=issuer_uses.c.last_at < at,
        )
    )
    with transaction() as tx:
        try:
            # What is refused here must not end the caller's transaction.
            with tx.begin_nested():
                tx.execute(noted)
        except IntegrityError:
            return False
    return True


def every() -> tuple[Use, ...]:
    """Every note of the tenant, the latest first."""
    query = (
        select(clients.c.client_id, issuer_uses.c.issuer, issuer_uses.c.last_at)
        .join(
            clients,
            (clients.c.tenant_id == issuer_uses.c.tenant_id) & (clients.c.id == issuer_uses.c.client_id),
        )
        .where(here(issuer_uses))
        .order_by(issuer_uses.c.last_at.desc(), clients.c.client_id)
    )
    with transaction(readonly=True) as tx:
        return tuple(Use(*row) for row in tx.execute(query))


def clear() -> int:
    """Delete every note of the tenant; how many."""
    with transaction() as tx:
        return len(tx.execute(delete(issuer_uses).where(here(issuer_uses)).returning(issuer_uses.c.id)).all())
