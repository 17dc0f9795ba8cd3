"""Counters of failures for the time that Redis is away."""

from datetime import datetime, timedelta

from sqlalchemy import Column, Integer, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.columns import binary, here, home, instant, tenant_table, text, unique

throttles = tenant_table(
    "throttles",
    text("kind"),
    binary("key_digest"),
    Column("count", Integer, nullable=False),
    instant("window_start"),
    unique("kind", "key_digest"),
)


def add(kind: str, key_digest: bytes, window: int, at: datetime, amount: int = 1) -> tuple[int, datetime]:
    """Count `amount` in a window of `window` seconds that begins with its first count: the new count, its begin."""
    statement = insert(throttles).values(
        tenant_id=home(), id=uuid7(), kind=kind, key_digest=key_digest, count=amount, window_start=at
    )
    over = throttles.c.window_start <= at - timedelta(seconds=window)
    counted = statement.on_conflict_do_update(
        index_elements=["tenant_id", "kind", "key_digest"],
        set_={
            "count": case((over, amount), else_=throttles.c.count + amount),
            "window_start": case((over, at), else_=throttles.c.window_start),
        },
    ).returning(throttles.c.count, throttles.c.window_start)
    with transaction() as tx:
        count, begin = tx.execute(counted).one()
        return count, begin


def take_back(kind: str, key_digest: bytes, amount: int = 1) -> None:
    """Take `amount` off a count, down to zero."""
    lower = update(throttles).where(
        here(throttles), throttles.c.kind == kind, throttles.c.key_digest == key_digest
    )
    with transaction() as tx:
        tx.execute(lower.values(count=func.greatest(throttles.c.count - amount, 0)))


def purge(before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` counters whose window began before an instant; how many."""
    old = select(throttles.c.id).where(here(throttles), throttles.c.window_start < before).limit(limit)
    with transaction() as tx:
        done = delete(throttles).where(here(throttles), throttles.c.id.in_(old.scalar_subquery()))
        return len(tx.execute(done.returning(throttles.c.id)).all())
