"""What a person has allowed a client: `identifier scope` for a scope of an API, the scope alone for the default's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import Text

from idp import clock
from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.columns import belongs, here, home, index, instant, tenant_table, texts, unique, uuid

consents = tenant_table(
    "consents",
    uuid("user_id"),
    uuid("client_id"),
    texts("scopes"),
    instant("granted_at"),
    belongs("user_id", "users"),
    belongs("client_id", "clients"),
    unique("user_id", "client_id"),
    index("consents", "client_id"),
)


@dataclass(frozen=True, slots=True)
class Consent:
    """The scopes that a user has allowed a client (its row's id), all of them together."""

    user_id: UUID
    client_id: UUID
    scopes: frozenset[str]
    granted_at: datetime


def _of(user_id: UUID, client_id: UUID) -> tuple[Any, ...]:
    return here(consents), consents.c.user_id == user_id, consents.c.client_id == client_id


_SCOPES = select(consents.c.scopes).where(
    consents.c.tenant_id == bindparam("tenant"),
    consents.c.user_id == bindparam("user"),
    consents.c.client_id == bindparam("client"),
)


def scopes_of(user_id: UUID, client_id: UUID) -> frozenset[str]:
    """What the user has allowed the client so far; empty when nothing."""
    whose = {"tenant": home(), "user": user_id, "client": client_id}
    with transaction(readonly=True) as tx:
        return frozenset(tx.scalar(_SCOPES, whose) or ())


def add(user_id: UUID, client_id: UUID, scopes: frozenset[str]) -> None:
    """Allow these scopes as well; two at once lose nothing, because Postgres joins the sets."""
    row = {"scopes": sorted(scopes), "granted_at": clock.now()}
    statement = insert(consents).values(
        tenant_id=home(), id=uuid7(), user_id=user_id, client_id=client_id, **row
    )
    both = func.array_cat(consents.c.scopes, statement.excluded.scopes, type_=ARRAY(Text))
    entry = func.unnest(both).table_valued("scope").render_derived()
    joined = (
        select(func.array_agg(entry.c.scope.distinct(), type_=ARRAY(Text)))
        .select_from(entry)
        .scalar_subquery()
    )
    with transaction() as tx:
        tx.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "user_id", "client_id"],
                set_={"scopes": joined, "granted_at": statement.excluded.granted_at},
            )
        )


def remove(user_id: UUID, client_id: UUID) -> bool:
    """Forget what the user allowed the client; False when there was nothing."""
    with transaction() as tx:
        removed = delete(consents).where(*_of(user_id, client_id)).returning(consents.c.id)
        return tx.execute(removed).first() is not None


def forget(client_id: UUID) -> None:
    """Forget what everybody allowed a client (its row's id)."""
    with transaction() as tx:
        tx.execute(delete(consents).where(here(consents), consents.c.client_id == client_id))


def of_user(user_id: UUID) -> tuple[Consent, ...]:
    """All that a user has allowed, the latest first."""
    columns = (consents.c.user_id, consents.c.client_id, consents.c.scopes, consents.c.granted_at)
    statement = select(*columns).where(here(consents), consents.c.user_id == user_id)
    with transaction(readonly=True) as tx:
        rows = tx.execute(statement.order_by(consents.c.granted_at.desc()).limit(1000))
        return tuple(Consent(user, client, frozenset(scopes), at) for user, client, scopes, at in rows)
