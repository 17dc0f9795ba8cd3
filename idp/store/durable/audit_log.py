"""What happened, inserted and never changed; seals chain the rows that have committed."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, FetchedValue, Integer, Text, cast, func, insert, literal, select
from sqlalchemy.types import UserDefinedType

from idp.store.database import transaction
from idp.store.durable.columns import (
    binary,
    here,
    home,
    index,
    instant,
    json,
    tenant_table,
    text,
    unique,
    uuid,
)


class Xid8(UserDefinedType[int]):
    """Postgres' 64-bit transaction id; psycopg2 answers it as text."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        """The type's name in Postgres."""
        return "xid8"


audit_log = tenant_table(
    "audit_log",
    Column("xid", Xid8, nullable=False, server_default=FetchedValue()),
    text("event"),
    json("actor"),
    json("facts"),
    instant("at"),
    text("request_id", null=True),
    uuid("person", null=True),
    index("audit_log", "xid"),
    index("audit_log", "at"),
    index("audit_log", "person", "at"),
)

audit_seals = tenant_table(
    "audit_seals",
    Column("number", Integer, nullable=False),
    Column("first_xid", Xid8, nullable=False),
    Column("last_xid", Xid8, nullable=False),
    uuid("first_id"),
    uuid("last_id"),
    Column("count", Integer, nullable=False),
    binary("previous"),
    binary("digest"),
    instant("at"),
    unique("number"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it is written; Postgres adds the id of the transaction that wrote it."""

    id: UUID
    event: str
    actor: dict[str, Any]
    facts: dict[str, Any]
    at: dt.datetime
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Seal:
    """A link of the tenant's chain: every row of the transactions `first_xid` … `last_xid`, in order of (xid, id)."""

    id: UUID
    number: int
    first_xid: int
    last_xid: int
    first_id: UUID
    last_id: UUID
    count: int
    previous: bytes
    digest: bytes
    at: dt.datetime


_ENTRY = [audit_log.c[name] for name in Entry.__dataclass_fields__]
_SEAL = [audit_seals.c[name] for name in Seal.__dataclass_fields__]


def _xid(value: int) -> Any:
    return cast(literal(str(value), Text), Xid8)


def _seal(row: Any) -> Seal:
    members = dict(row._mapping)
    members |= {name: int(members[name]) for name in ("first_xid", "last_xid")}
    members |= {name: bytes(members[name]) for name in ("previous", "digest")}
    return Seal(**members)


_INSERT = insert(audit_log)
_FIELDS = tuple(Entry.__dataclass_fields__)


def _row(tenant_id: UUID, entry: Entry) -> dict[str, Any]:
    """An event as columns; its facts are JSON already and need no copy."""
    row = {name: getattr(entry, name) for name in _FIELDS}
    return {"tenant_id": tenant_id, "person": _person_of(entry), **row}


def _person_of(entry: Entry) -> UUID | None:
    """Whom a row is about: the person who acted, else the one named among the facts."""
    named = entry.actor.get("id") if entry.actor.get("kind") == "user" else entry.facts.get("user_id")
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None


def insert_all(entries: Sequence[Entry]) -> None:
    """Write events of the tenant in the caller's transaction."""
    if entries:
        tenant_id = home()
        with transaction() as tx:
            tx.execute(_INSERT, [_row(tenant_id, entry) for entry in entries])


def recent(limit: int = 100, event: str | None = None, since: dt.datetime | None = None) -> tuple[Entry, ...]:
    """The newest events of the tenant, all or of one name, ever or `since` an instant."""
    query = select(*_ENTRY).where(here(audit_log))
    if since is not None:
        query = query.where(audit_log.c.at >= since)
    if event is not None:
        query = query.where(audit_log.c.event == event)
    with transaction(readonly=True) as tx:
        rows = tx.execute(query.order_by(audit_log.c.at.desc(), audit_log.c.id.desc()).limit(limit))
        return tuple(Entry(**row._mapping) for row in rows)


def of_person(
    person: UUID, events: Sequence[str], before: dt.datetime | None = None, limit: int = 50
) -> tuple[Entry, ...]:
    """The newest events of those names that are about a person, all or those `before` an instant."""
    query = select(*_ENTRY).where(
        here(audit_log), audit_log.c.person == person, audit_log.c.event.in_(events)
    )
    if before is not None:
        query = query.where(audit_log.c.at < before)
    with transaction(readonly=True) as tx:
        rows = tx.execute(query.order_by(audit_log.c.at.desc(), audit_log.c.id.desc()).limit(limit))
        return tuple(Entry(**row._mapping) for row in rows)


def lock() -> bool:
    """Try to hold the tenant's chain until the transaction ends; False when another worker holds it."""
    with transaction() as tx:
        key = func.hashtextextended(f"audit_seals:{home()}", 0)
        return bool(tx.execute(select(func.pg_try_advisory_xact_lock(key))).scalar_one())


def last_seal() -> Seal | None:
    """The newest link of the chain."""
    query = select(*_SEAL).where(here(audit_seals)).order_by(audit_seals.c.number.desc()).limit(1)
    with transaction() as tx:
        row = tx.execute(query).first()
        return _seal(row) if row else None


def seals(after: int, limit: int) -> tuple[Seal, ...]:
    """At most `limit` links with numbers above `after`, in order."""
    query = select(*_SEAL).where(here(audit_seals), audit_seals.c.number > after)
    with transaction(readonly=True) as tx:
        return tuple(_seal(row) for row in tx.execute(query.order_by(audit_seals.c.number).limit(limit)))


def add_seal(seal: Seal) -> None:
    """Append a link."""
    values = asdict(seal) | {name: _xid(getattr(seal, name)) for name in ("first_xid", "last_xid")}
    with transaction() as tx:
        tx.execute(insert(audit_seals).values(tenant_id=home(), **values))


def settled(after: int, limit: int) -> list[tuple[int, Entry]]:
    """Events of transactions above `after` that can gain no more rows, in order of (xid, id).

    A transaction below the oldest one still running has ended, so nothing in flight is ever passed over.
    All rows of a transaction come together; `limit` is reached but for the rest of the last one.
    """
    ended = audit_log.c.xid < func.pg_snapshot_xmin(func.pg_current_snapshot())
    first = (
        select(audit_log.c.xid)
        .where(here(audit_log), audit_log.c.xid > _xid(after), ended)
        .order_by(audit_log.c.xid)
        .limit(limit)
        .subquery()
    )
    with transaction() as tx:
        # xid8 has no max() before PostgreSQL 17: the last of the ordered ids is read instead.
        last = tx.execute(select(first.c.xid).order_by(first.c.xid.desc()).limit(1)).scalar()
        return [] if last is None else between(after, int(last))


def between(after: int, last: int) -> list[tuple[int, Entry]]:
    """Events of transactions above `after` up to `last`, in order of (xid, id)."""
    query = select(audit_log.c.xid, *_ENTRY).where(here(audit_log))
    query = query.where(audit_log.c.xid > _xid(after), audit_log.c.xid <= _xid(last))
    with transaction() as tx:
        return _numbered(tx.execute(query.order_by(audit_log.c.xid, audit_log.c.id)))


def unsealed(after: int) -> int:
    """How many visible events lie above transaction `after`: the tail that no seal covers yet."""
    query = select(func.count()).select_from(audit_log).where(here(audit_log), audit_log.c.xid > _xid(after))
    with transaction(readonly=True) as tx:
        return int(tx.execute(query).scalar_one())


def counter_stepped_back(last: int) -> bool:
    """Whether Postgres counts transactions below one that is sealed: its rows came from another cluster."""
    query = select(_xid(last) >= func.pg_snapshot_xmin(func.pg_current_snapshot()))
    with transaction() as tx:
        return bool(tx.execute(query).scalar_one())


def _numbered(rows: Iterable[Any]) -> list[tuple[int, Entry]]:
    names = Entry.__dataclass_fields__
    return [(int(row.xid), Entry(**{name: row._mapping[name] for name in names})) for row in rows]
