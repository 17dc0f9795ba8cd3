"""Reports of the last proofs of isolation: operators keep them, everybody in the house may read them."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, PrimaryKeyConstraint, Table

from idp.store.database import operations, outside
from idp.store.durable.columns import instant, metadata, text, uuid

KEPT = 30
"""Reports that are kept."""

proofs = Table(
    "proofs",
    metadata,
    uuid("id"),
    instant("at"),
    Column("holds", Boolean, nullable=False),
    text("report"),
    PrimaryKeyConstraint("id"),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One proof: when it ended, whether every promise held, and its signed report in JSON."""

    id: UUID
    at: dt.datetime
    holds: bool
    report: str


def keep(proof: Kept) -> None:
    """Keep a proof, and of all only the newest."""
    newest = sa.select(proofs.c.id).order_by(proofs.c.at.desc(), proofs.c.id.desc()).limit(KEPT)
    with operations() as tx:
        tx.execute(sa.insert(proofs).values(id=proof.id, at=proof.at, holds=proof.holds, report=proof.report))
        tx.execute(sa.delete(proofs).where(proofs.c.id.not_in(newest)))


def recent(limit: int = KEPT) -> list[Kept]:
    """The newest proofs, the newest first. Raises Unavailable."""
    query = sa.select(proofs).order_by(proofs.c.at.desc(), proofs.c.id.desc()).limit(limit)
    with outside() as connection:
        return [Kept(row.id, row.at, row.holds, row.report) for row in connection.execute(query)]
