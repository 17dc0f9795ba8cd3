"""As whom people are known at upstreams: a pair of issuer and subject belongs to one person of the tenant.

OpenID Connect Core 1.0 §5.7: only these two together name somebody, and never an e-mail address.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from idp import clock
from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.columns import belongs, here, home, index, instant, tenant_table, text, unique, uuid

identities = tenant_table(
    "identities",
    uuid("upstream_id"),
    uuid("user_id"),
    text("issuer"),
    text("subject"),
    text("shown"),
    instant("created_at"),
    instant("used_at"),
    unique("issuer", "subject"),
    belongs("upstream_id", "upstreams"),
    belongs("user_id", "users"),
    index("identities", "upstream_id"),
    index("identities", "user_id"),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as an upstream knows them; `shown` is what they recognise it by."""

    id: UUID
    upstream_id: UUID
    user_id: UUID
    issuer: str
    subject: str
    shown: str
    created_at: datetime
    used_at: datetime


_COLUMNS = tuple(identities.c[name] for name in Identity.__dataclass_fields__)


def find(issuer: str, subject: str) -> Identity | None:
    """Whose identity this is, or None."""
    clause = sa.and_(identities.c.issuer == issuer, identities.c.subject == subject)
    with transaction(readonly=True) as tx:
        row = tx.execute(sa.select(*_COLUMNS).where(here(identities), clause)).one_or_none()
    return None if row is None else Identity(*row)


def link(upstream: UUID, user: UUID, issuer: str, subject: str, shown: str) -> Identity | None:
    """Give a person an identity; None when it is somebody's already."""
    at = clock.now()
    row = {"id": uuid7(), "upstream_id": upstream, "user_id": user, "issuer": issuer, "subject": subject,
           "shown": shown, "created_at": at, "used_at": at}  # fmt: skip
    made = insert(identities).values(tenant_id=home(), **row)
    wanted = made.on_conflict_do_nothing(index_elements=["tenant_id", "issuer", "subject"])
    with transaction() as tx:
        found = tx.execute(wanted.returning(*_COLUMNS)).one_or_none()
    return None if found is None else Identity(*found)


def used(identity: UUID, shown: str) -> bool:
    """Note that it was signed in with, and what it is recognised by now; False when it is not there any more."""
    mine = sa.update(identities).where(here(identities), identities.c.id == identity)
    with transaction() as tx:
        return (
            tx.execute(mine.values(used_at=clock.now(), shown=shown).returning(identities.c.id)).first()
            is not None
        )


def unlink(identity: UUID, user: UUID) -> bool:
    """Take an identity from a person; False when they have none of that id."""
    mine = (here(identities), identities.c.id == identity, identities.c.user_id == user)
    with transaction() as tx:
        return tx.execute(sa.delete(identities).where(*mine).returning(identities.c.id)).first() is not None


def of_user(user: UUID) -> tuple[Identity, ...]:
    """The identities of a person, the oldest first."""
    return _all(identities.c.user_id == user)


def people_of(upstream: UUID) -> tuple[UUID, ...]:
    """The ids of the people who have an identity of an upstream."""
    wanted = sa.select(identities.c.user_id).where(here(identities), identities.c.upstream_id == upstream)
    with transaction(readonly=True) as tx:
        return tuple(tx.execute(wanted.distinct()).scalars())


def _all(clause: Any) -> tuple[Identity, ...]:
    wanted = sa.select(*_COLUMNS).where(here(identities), clause).order_by(identities.c.created_at)
    with transaction(readonly=True) as tx:
        return tuple(Identity(*row) for row in tx.execute(wanted))
