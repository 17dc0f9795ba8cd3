"""Effects that leave the house after a commit: written with the change, delivered by the worker."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, delete, func, insert, or_, select, update

from idp import clock, ids
from idp.store.database import transaction
from idp.store.durable.columns import here, home, index, instant, json, tenant_table, text

outbox = tenant_table(
    "outbox",
    text("topic"),
    json("payload"),
    Column("attempts", Integer, nullable=False),
    instant("run_after"),
    instant("locked_until", null=True),
    instant("created_at"),
    index("outbox", "run_after"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One effect to carry out; `attempts` counts the tries so far, this one included."""

    id: UUID
    topic: str
    payload: dict[str, Any]
    attempts: int
    created_at: dt.datetime


_COLUMNS = [outbox.c[name] for name in Message.__dataclass_fields__]


def put(topic: str, payload: dict[str, Any], run_after: dt.datetime | None = None) -> UUID:
    """Write a message in the caller's transaction; it is delivered at least once, after the commit."""
    now = clock.now()
    message_id = ids.uuid7()
    row = {"tenant_id": home(), "id": message_id, "topic": topic, "payload": payload, "attempts": 0}
    with transaction() as tx:
        tx.execute(insert(outbox).values(**row, run_after=run_after or now, created_at=now))
    return message_id


def claim(limit: int, now: dt.datetime, lease: dt.timedelta) -> tuple[Message, ...]:
    """At most `limit` messages that are due, held until `now` + `lease`; no two callers get the same one."""
    due = (
        select(outbox.c.id)
        .where(here(outbox), outbox.c.run_after <= now)
        .where(or_(outbox.c.locked_until.is_(None), outbox.c.locked_until <= now))
        .order_by(outbox.c.run_after)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    with transaction() as tx:
        wanted = list(tx.execute(due).scalars())
        if not wanted:
            return ()
        taken = update(outbox).where(here(outbox), outbox.c.id.in_(wanted))
        taken = taken.values(locked_until=now + lease, attempts=outbox.c.attempts + 1)
        rows = tx.execute(taken.returning(*_COLUMNS)).all()
    return tuple(sorted((Message(**row._mapping) for row in rows), key=lambda message: message.id))


def done(message_id: UUID) -> bool:
    """Delete a message that was delivered; False when it is not there any more."""
    with transaction() as tx:
        result = tx.execute(delete(outbox).where(here(outbox), outbox.c.id == message_id))
        return bool(result.rowcount)


def retry(message_id: UUID, run_after: dt.datetime) -> bool:
    """Let go of a message that failed, to be tried again after `run_after`."""
    with transaction() as tx:
        held = update(outbox).where(here(outbox), outbox.c.id == message_id)
        result = tx.execute(held.values(run_after=run_after, locked_until=None))
        return bool(result.rowcount)


def waiting() -> int:
    """How many messages of the tenant are not delivered yet."""
    with transaction(readonly=True) as tx:
        return int(tx.execute(select(func.count()).select_from(outbox).where(here(outbox))).scalar_one())
