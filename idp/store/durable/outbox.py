"""Effects that leave the house after a commit: written with the change, delivered by the worker.

A message may have a recipient outside the house: the messages for one are carried out one after the other, and a
recipient that does not answer holds up nobody else's. What could not be carried out in time moves to `undelivered`,
where operators see it.
"""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, Text, delete, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

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
    text("recipient", null=True),
    text("problem", null=True),
    index("outbox", "run_after"),
)

undelivered = tenant_table(
    "undelivered",
    text("topic"),
    json("payload"),
    text("recipient", null=True),
    Column("attempts", Integer, nullable=False),
    text("problem", null=True),
    instant("created_at"),
    instant("given_up_at"),
    index("undelivered", "given_up_at"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One effect to carry out; `attempts` counts the tries so far, this one included; `problem`: of the last try."""

    id: UUID
    topic: str
    payload: dict[str, Any]
    attempts: int
    created_at: dt.datetime
    recipient: str | None = None
    problem: str | None = None


_NAMES = tuple(Message.__dataclass_fields__)
_COLUMNS = [outbox.c[name] for name in _NAMES]


def put(
    topic: str, payload: dict[str, Any], run_after: dt.datetime | None = None, recipient: str | None = None
) -> UUID:
    """Write a message in the caller's transaction; it is delivered at least once, after the commit."""
    now = clock.now()
    row = _row(topic, payload, now, recipient) | {"run_after": run_after or now}
    with transaction() as tx:
        tx.execute(insert(outbox).values(row))
    return UUID(str(row["id"]))


def put_all(topic: str, messages: Iterable[tuple[str, dict[str, Any]]]) -> int:
    """Write messages (a recipient and a payload each) in the caller's transaction, in one statement; how many."""
    now = clock.now()
    rows = [_row(topic, payload, now, recipient) for recipient, payload in messages]
    if rows:
        with transaction() as tx:
            tx.execute(insert(outbox).values(rows))
    return len(rows)


def _row(topic: str, payload: dict[str, Any], now: dt.datetime, recipient: str | None) -> dict[str, Any]:
    return {"tenant_id": home(), "id": ids.uuid7(), "topic": topic, "payload": payload, "attempts": 0,
            "run_after": now, "created_at": now, "recipient": recipient}  # fmt: skip


def _due(now: dt.datetime) -> tuple[Any, ...]:
    free = or_(outbox.c.locked_until.is_(None), outbox.c.locked_until <= now)
    return here(outbox), outbox.c.run_after <= now, free


def recipients(now: dt.datetime, limit: int, busy: Collection[str] = ()) -> tuple[str, ...]:
    """At most `limit` recipients of messages that are due, but none of `busy`; who has waited longest comes first."""
    waiting = select(outbox.c.recipient).where(*_due(now), outbox.c.recipient.is_not(None))
    if busy:
        waiting = waiting.where(outbox.c.recipient.not_in(busy))
    waiting = waiting.group_by(outbox.c.recipient).order_by(func.min(outbox.c.run_after)).limit(limit)
    with transaction(readonly=True) as tx:
        return tuple(tx.execute(waiting).scalars())


def claim(
    limit: int, now: dt.datetime, lease: dt.timedelta, recipient: str | None = None
) -> tuple[Message, ...]:
    """At most `limit` messages that are due, for `recipient` or for none, held until `now` + `lease`.

    No two callers get the same one.
    """
    due = (
        select(outbox.c.id)
        .where(
            *_due(now), outbox.c.recipient.is_(None) if recipient is None else outbox.c.recipient == recipient
        )
        .order_by(outbox.c.run_after, outbox.c.id)
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


def retry(message_id: UUID, run_after: dt.datetime, problem: str | None = None) -> bool:
    """Let go of a message that failed, to be tried again after `run_after`."""
    with transaction() as tx:
        held = update(outbox).where(here(outbox), outbox.c.id == message_id)
        result = tx.execute(held.values(run_after=run_after, locked_until=None, problem=problem))
        return bool(result.rowcount)


def attempts_of(recipient: str) -> int:
    """The most tries that a message for a recipient has had."""
    most = select(func.max(outbox.c.attempts)).where(here(outbox), outbox.c.recipient == recipient)
    with transaction(readonly=True) as tx:
        return int(tx.execute(most).scalar_one() or 0)


def hold_back(recipient: str, run_after: dt.datetime, problem: str) -> int:
    """Let every message for a recipient that is not in hand wait until `run_after` at least; how many."""
    now = clock.now()
    waiting = update(outbox).where(
        here(outbox),
        outbox.c.recipient == recipient,
        outbox.c.run_after < run_after,
        or_(outbox.c.locked_until.is_(None), outbox.c.locked_until <= now),
    )
    with transaction() as tx:
        result = tx.execute(waiting.values(run_after=run_after, problem=problem))
        return int(result.rowcount)


def wake(recipient: str, problem: str) -> int:
    """Let what waits for a recipient because of `problem`, a pattern of SQL's LIKE, be due now; how many."""
    now = clock.now()
    resting = update(outbox).where(
        here(outbox),
        outbox.c.recipient == recipient,
        outbox.c.run_after > now,
        outbox.c.problem.like(problem),
    )
    with transaction() as tx:
        result = tx.execute(resting.values(run_after=now))
        return int(result.rowcount)


def give_up(message_id: UUID, problem: str | None) -> int:
    """Move a message to `undelivered`; how many moved."""
    return _give_up(problem, outbox.c.id == message_id)


def give_up_of(recipient: str, before: dt.datetime, problem: str) -> int:
    """Move the messages for a recipient that were written before an instant to `undelivered`; how many."""
    return _give_up(problem, outbox.c.recipient == recipient, outbox.c.created_at < before)


def _give_up(problem: str | None, *clauses: Any) -> int:
    kept = ("topic", "payload", "recipient", "attempts", "created_at")
    columns = [outbox.c[name] for name in ("tenant_id", "id", *kept)]
    gone = delete(outbox).where(here(outbox), *clauses).returning(*columns).cte("gone")
    values = [*(gone.c[column.name] for column in columns), literal(problem, Text()), literal(clock.now())]
    names = [*(column.name for column in columns), "problem", "given_up_at"]
    moved = upsert(undelivered).from_select(names, select(*values)).on_conflict_do_nothing()
    with transaction() as tx:
        result = tx.execute(moved)
        return int(result.rowcount)


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as operators see it: `next_at` for one that waits, `given_up_at` for one that does so no more."""

    id: UUID
    topic: str
    recipient: str | None
    payload: dict[str, Any]
    attempts: int
    problem: str | None
    created_at: dt.datetime
    next_at: dt.datetime | None = None
    given_up_at: dt.datetime | None = None


_SHOWN = ("id", "topic", "recipient", "payload", "attempts", "problem", "created_at")


def entries(limit: int) -> tuple[Entry, ...]:
    """At most `limit` messages that wait, then as many that were given up, the oldest first."""
    waiting = select(*(outbox.c[name] for name in _SHOWN), outbox.c.run_after.label("next_at"))
    waiting = waiting.where(here(outbox)).order_by(outbox.c.id).limit(limit)
    over = select(*(undelivered.c[name] for name in (*_SHOWN, "given_up_at")))
    over = over.where(here(undelivered)).order_by(undelivered.c.id).limit(limit)
    with transaction(readonly=True) as tx:
        rows = [*tx.execute(waiting), *tx.execute(over)]
    return tuple(Entry(**row._mapping) for row in rows)


def put_back(message_id: UUID | None = None) -> int:
    """Let what was given up, or that one of it, be tried as if it were new; how many."""
    now = clock.now()
    which = [undelivered.c.id == message_id] if message_id is not None else []
    names = ("tenant_id", "id", "topic", "payload", "recipient")
    back = delete(undelivered).where(here(undelivered), *which)
    gone = back.returning(*(undelivered.c[name] for name in names)).cte("gone")
    values = [*(gone.c[name] for name in names), literal(0), literal(now), literal(now)]
    again = upsert(outbox).from_select([*names, "attempts", "run_after", "created_at"], select(*values))
    with transaction() as tx:
        result = tx.execute(again.on_conflict_do_nothing())
        return int(result.rowcount)


def purge(before: dt.datetime, limit: int = 1000) -> int:
    """Delete up to `limit` messages that were given up before an instant; how many."""
    old = select(undelivered.c.id).where(here(undelivered), undelivered.c.given_up_at < before).limit(limit)
    gone = delete(undelivered).where(here(undelivered), undelivered.c.id.in_(old.scalar_subquery()))
    with transaction() as tx:
        return len(tx.execute(gone.returning(undelivered.c.id)).all())


def waiting() -> int:
    """How many messages of the tenant are not delivered yet."""
    with transaction(readonly=True) as tx:
        return int(tx.execute(select(func.count()).select_from(outbox).where(here(outbox))).scalar_one())
