"""Authenticator apps: one shared secret a person, sealed, and the last time step whose code was used (RFC 6238)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, bindparam, delete, insert, select, update

from idp import clock
from idp.store.database import transaction
from idp.store.durable.columns import belongs, here, home, instant, tenant_table, text, unique, uuid

authenticators = tenant_table(
    "authenticators",
    uuid("user_id"),
    text("sealed"),
    Column("last_step", BigInteger, nullable=False),
    instant("created_at"),
    instant("used_at", null=True),
    unique("user_id"),
    belongs("user_id", "users"),
)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """A person's authenticator. `sealed`: its secret, opening for this person and `id` alone."""

    id: UUID
    user_id: UUID
    sealed: str
    last_step: int
    created_at: datetime
    used_at: datetime | None


_COLUMNS = (authenticators.c.id, authenticators.c.user_id, authenticators.c.sealed, authenticators.c.last_step,
            authenticators.c.created_at, authenticators.c.used_at)  # fmt: skip
_OF_USER = select(*_COLUMNS).where(
    authenticators.c.tenant_id == bindparam("tenant"), authenticators.c.user_id == bindparam("user")
)


def of_user(user_id: UUID) -> Authenticator | None:
    """The authenticator of a person, or None."""
    with transaction(readonly=True) as tx:
        row = tx.execute(_OF_USER, {"tenant": home(), "user": user_id}).one_or_none()
    return None if row is None else Authenticator(*row)


def put(new: Authenticator) -> None:
    """Keep an authenticator in the place of the person's former one."""
    values: dict[str, Any] = {name: getattr(new, name) for name in Authenticator.__slots__}
    former = delete(authenticators).where(here(authenticators), authenticators.c.user_id == new.user_id)
    with transaction() as tx:
        tx.execute(former)
        tx.execute(insert(authenticators).values(tenant_id=home(), **values))


def use(authenticator_id: UUID, step: int) -> bool:
    """Say that the code of `step` was used: true for exactly one of all who try, and for no step before it."""
    later = update(authenticators).where(
        here(authenticators), authenticators.c.id == authenticator_id, authenticators.c.last_step < step
    )
    done: Any = later.values(last_step=step, used_at=clock.now()).returning(authenticators.c.id)
    with transaction() as tx:
        return tx.execute(done).first() is not None


def remove(user_id: UUID) -> bool:
    """Take a person's authenticator away; False when there was none."""
    gone = delete(authenticators).where(here(authenticators), authenticators.c.user_id == user_id)
    with transaction() as tx:
        return tx.execute(gone.returning(authenticators.c.id)).first() is not None
