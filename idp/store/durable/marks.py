"""Replay marks: a thing that may be used once leaves its digest here, atomically."""

import datetime as dt

import sqlalchemy as sa

from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.columns import (
    binary,
    first_counts,
    here,
    home,
    index,
    instant,
    tenant_table,
    text,
    unique,
)

marks = tenant_table(
    "marks",
    text("kind"),
    binary("digest"),
    instant("expires_at"),
    unique("kind", "digest"),
    index("marks", "expires_at"),
)

_LEAVE = first_counts(marks)


def leave(kind: str, digest: bytes, expires_at: dt.datetime) -> bool:
    """Mark a thing as used until `expires_at`; False when it was marked before."""
    row = {"tenant_id": home(), "id": uuid7(), "kind": kind, "digest": digest, "expires_at": expires_at}
    with transaction() as tx:
        return tx.execute(_LEAVE, row).first() is not None


def left(kind: str, digest: bytes) -> bool:
    """Whether a thing is marked as used."""
    statement = sa.select(marks.c.id).where(here(marks), marks.c.kind == kind, marks.c.digest == digest)
    with transaction(readonly=True) as tx:
        return tx.execute(statement).first() is not None


def purge(before: dt.datetime, limit: int = 1000) -> int:
    """Delete marks that expired before `before`; how many."""
    old = sa.select(marks.c.id).where(here(marks), marks.c.expires_at < before).limit(limit)
    with transaction() as tx:
        gone = tx.execute(
            sa.delete(marks).where(here(marks), marks.c.id.in_(old.scalar_subquery())).returning(marks.c.id)
        )
        return len(gone.all())
