"""The last results of the gates that need a running server, and the figures that were accepted.

Operators' commands write them, everybody in the house may read them. Nothing here is of a tenant.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import insert

from idp.store.database import operations, outside
from idp.store.durable.columns import instant, json, metadata, text

gates = Table(
    "gates",
    metadata,
    text("name"),
    instant("at"),
    Column("green", Boolean, nullable=False),
    json("content"),
    PrimaryKeyConstraint("name"),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One result: when, whether all was green, and what was seen."""

    name: str
    at: dt.datetime
    green: bool
    content: dict[str, Any]


def keep(kept: Kept) -> None:
    """Keep a result in place of the one before."""
    row = {"at": kept.at, "green": kept.green, "content": kept.content}
    statement = insert(gates).values(name=kept.name, **row)
    with operations() as tx:
        tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


def every() -> dict[str, Kept]:
    """What is kept, by name. Raises Unavailable."""
    with outside() as connection:
        rows = connection.execute(sa.select(gates)).all()
    return {row.name: Kept(row.name, row.at, row.green, row.content) for row in rows}
