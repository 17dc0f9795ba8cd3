"""Links that open something once. Only a digest is kept of what stands in the message."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from idp.store.database import transaction
from idp.store.durable.columns import (
    belongs,
    binary,
    here,
    home,
    index,
    instant,
    tenant_table,
    text,
    unique,
    uuid,
)

links = tenant_table(
    "links",
    text("kind"),
    binary("digest"),
    uuid("user_id", null=True),
    binary("state", null=True),
    text("sealed", null=True),
    instant("created_at"),
    instant("expires_at"),
    instant("used_at", null=True),
    belongs("user_id", "users"),
    unique("digest"),
    index("links", "user_id"),
    index("links", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was sent: what it opens (`kind`), for whom, and the `state` of their account that it belongs to.

    `sealed`: what else it carries, readable to the workshop that sealed it.
    """

    id: UUID
    kind: str
    digest: bytes
    user_id: UUID | None
    state: bytes | None
    sealed: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


_COLUMNS = [links.c[name] for name in Link.__dataclass_fields__]


def _link(row: Any) -> Link:
    values = row._asdict()
    values["digest"] = bytes(values["digest"])
    values["state"] = None if values["state"] is None else bytes(values["state"])
    return Link(**values)


def add(link: Link) -> None:
    """Keep a link."""
    values = {name: getattr(link, name) for name in Link.__dataclass_fields__}
    with transaction() as tx:
        tx.execute(insert(links).values(tenant_id=home(), **values))


def find(kind: str, digest: bytes) -> Link | None:
    """The link of this kind and digest, used or not; None where there is none."""
    query = select(*_COLUMNS).where(here(links), links.c.kind == kind, links.c.digest == digest)
    with transaction(readonly=True) as tx:
        row = tx.execute(query).one_or_none()
    return None if row is None else _link(row)


def burn(link_id: UUID, at: datetime) -> bool:
    """Use a link up; False when it was used before, or is gone. Of many at once one hears True."""
    used = update(links).where(here(links), links.c.id == link_id, links.c.used_at.is_(None))
    with transaction() as tx:
        return tx.execute(used.values(used_at=at).returning(links.c.id)).first() is not None


def drop_of(user_id: UUID, kind: str | None = None) -> int:
    """Forget the unused links of a person, of one kind or all; how many."""
    clauses = [] if kind is None else [links.c.kind == kind]
    gone = delete(links).where(here(links), links.c.user_id == user_id, links.c.used_at.is_(None), *clauses)
    with transaction() as tx:
        return len(tx.execute(gone.returning(links.c.id)).all())


def of_user(user_id: UUID, kind: str) -> Link | None:
    """The newest unused link of this kind of a person, also one whose time is over; None where there is none."""
    query = select(*_COLUMNS).where(
        here(links), links.c.user_id == user_id, links.c.kind == kind, links.c.used_at.is_(None)
    )
    with transaction(readonly=True) as tx:
        row = tx.execute(query.order_by(links.c.created_at.desc()).limit(1)).one_or_none()
    return None if row is None else _link(row)


def drop(link_id: UUID, kind: str) -> bool:
    """Forget an unused link of this kind; False when there is none."""
    mine = (here(links), links.c.id == link_id, links.c.kind == kind, links.c.used_at.is_(None))
    with transaction() as tx:
        return tx.execute(delete(links).where(*mine).returning(links.c.id)).first() is not None


def open_of(kind: str, at: datetime, limit: int = 100) -> tuple[Link, ...]:
    """The links of a kind that still open something, the newest first."""
    query = select(*_COLUMNS).where(
        here(links), links.c.kind == kind, links.c.used_at.is_(None), links.c.expires_at > at
    )
    with transaction(readonly=True) as tx:
        rows = tx.execute(query.order_by(links.c.created_at.desc()).limit(limit))
        return tuple(_link(row) for row in rows)


def expired_of(kind: str, at: datetime, limit: int = 100) -> tuple[Link, ...]:
    """The links of a kind whose time was over at an instant and that nobody used, the oldest first."""
    query = select(*_COLUMNS).where(
        here(links), links.c.kind == kind, links.c.used_at.is_(None), links.c.expires_at <= at
    )
    with transaction(readonly=True) as tx:
        rows = tx.execute(query.order_by(links.c.expires_at).limit(limit))
        return tuple(_link(row) for row in rows)


def purge(before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` links that expired before an instant; how many."""
    chosen = select(links.c.id).where(here(links), links.c.expires_at < before).limit(limit).scalar_subquery()
    with transaction() as tx:
        done = delete(links).where(here(links), links.c.id.in_(chosen)).returning(links.c.id)
        return len(tx.execute(done).all())
