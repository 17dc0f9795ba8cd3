"""The record of every sign-in session; the live copy in Redis is rebuilt from it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from idp import clock
from idp.ids import uuid7
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
    texts,
    unique,
    uuid,
)
from idp.store.durable.users import users

sessions = tenant_table(
    "sessions",
    binary("digest"),
    text("sid"),
    uuid("user_id"),
    instant("auth_time"),
    texts("amr"),
    text("acr"),
    instant("created_at"),
    instant("last_seen_at"),
    instant("expires_at"),
    instant("ended_at", null=True),
    text("end_reason", null=True),
    text("address", null=True),
    text("user_agent", null=True),
    belongs("user_id", "users"),
    unique("digest"),
    unique("sid"),
    index("sessions", "user_id"),
)

session_clients = tenant_table(
    "session_clients",
    uuid("session_id"),
    uuid("client_id"),
    instant("first_at"),
    belongs("session_id", "sessions"),
    belongs("client_id", "clients"),
    unique("session_id", "client_id"),
    index("session_clients", "client_id"),
)


@dataclass(frozen=True, slots=True)
class Session:
    """A person signed in with one browser. `digest` is SHA-256 of the cookie; `sid` is what clients are told."""

    id: UUID
    digest: bytes
    sid: str
    user_id: UUID
    auth_time: datetime
    amr: tuple[str, ...]
    acr: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    address: str | None
    user_agent: str | None


_COLUMNS = (sessions.c.id, sessions.c.digest, sessions.c.sid, sessions.c.user_id, sessions.c.auth_time,
            sessions.c.amr, sessions.c.acr, sessions.c.created_at, sessions.c.last_seen_at, sessions.c.expires_at,
            sessions.c.ended_at, sessions.c.end_reason, sessions.c.address, sessions.c.user_agent)  # fmt: skip


def _session(row: Row[Any] | None) -> Session | None:
    if row is None:
        return None
    given = row._asdict()
    return Session(**{**given, "digest": bytes(given["digest"]), "amr": tuple(given["amr"])})


def add(session: Session) -> None:
    """Record a session that begins."""
    values = {name: getattr(session, name) for name in Session.__slots__}
    with transaction() as tx:
        tx.execute(insert(sessions).values({**values, "amr": list(session.amr), "tenant_id": home()}))


def live_by_digest(digest: bytes) -> Session | None:
    """The session of this cookie's digest, if it has not ended and its person may be spoken for.

    A person who is disabled, or whose `not_before` is after the sign-in, has no live session. Idle and
    absolute expiry are the caller's to judge.
    """
    return _live(sessions.c.digest == digest)


def live_by_id(session_id: UUID) -> Session | None:
    """As `live_by_digest`, by the session's id."""
    return _live(sessions.c.id == session_id)


def _live(clause: Any) -> Session | None:
    person = and_(users.c.tenant_id == sessions.c.tenant_id, users.c.id == sessions.c.user_id)
    allowed = or_(users.c.not_before.is_(None), users.c.not_before <= sessions.c.auth_time)
    statement = (
        select(*_COLUMNS)
        .join_from(sessions, users, person)
        .where(here(sessions), clause, sessions.c.ended_at.is_(None), users.c.status == "active", allowed)
    )
    with transaction(readonly=True) as tx:
        return _session(tx.execute(statement).one_or_none())


def by_id(session_id: UUID) -> Session | None:
    """The session of this id, ended or not."""
    with transaction(readonly=True) as tx:
        found = tx.execute(select(*_COLUMNS).where(here(sessions), sessions.c.id == session_id))
        return _session(found.one_or_none())


def by_sid(sid: str) -> Session | None:
    """The session that clients know as `sid`, ended or not."""
    with transaction(readonly=True) as tx:
        return _session(tx.execute(select(*_COLUMNS).where(here(sessions), sessions.c.sid == sid)).one_or_none())


def of_user(user_id: UUID) -> tuple[Session, ...]:
    """The sessions of a user that have not ended and not passed their absolute age, the oldest first."""
    statement = select(*_COLUMNS).where(
        here(sessions),
        sessions.c.user_id == user_id,
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > clock.now(),
    )
    with transaction(readonly=True) as tx:
        rows = tx.execute(statement.order_by(sessions.c.created_at, sessions.c.id).limit(10_000))
        return tuple(found for row in rows if (found := _session(row)))


def seen(session_id: UUID, at: datetime) -> bool:
    """Move `last_seen_at` forward; False when the session has ended."""
    statement = update(sessions).where(here(sessions), sessions.c.id == session_id, sessions.c.ended_at.is_(None))
    with transaction() as tx:
        return tx.execute(statement.values(last_seen_at=at).returning(sessions.c.id)).first() is not None


def renew(old: Session, new: Session) -> bool:
    """Give a session another cookie and what it now proves; False when it has ended or moved on meanwhile."""
    names = ("digest", "auth_time", "acr", "last_seen_at", "expires_at", "address", "user_agent")
    values = {name: getattr(new, name) for name in names} | {"amr": list(new.amr)}
    same = and_(sessions.c.id == old.id, sessions.c.digest == old.digest, sessions.c.ended_at.is_(None))
    with transaction() as tx:
        renewed = update(sessions).where(here(sessions), same).values(values).returning(sessions.c.id)
        return tx.execute(renewed).first() is not None


def end(session_id: UUID, reason: str) -> bytes | None:
    """End a session; its digest, or None when it had ended or is none."""
    ended = _end(sessions.c.id == session_id, reason)
    return ended[0] if ended else None


def end_of_user(user_id: UUID, reason: str, keep: UUID | None = None) -> tuple[bytes, ...]:
    """End all sessions of a user but `keep`; their digests."""
    clause = sessions.c.user_id == user_id
    return _end(clause if keep is None else and_(clause, sessions.c.id != keep), reason)


def end_beyond(user_id: UUID, most: int, reason: str) -> tuple[bytes, ...]:
    """End the oldest sessions of a user beyond `most`; their digests."""
    excess = (
        select(sessions.c.id)
        .where(
            here(sessions),
            sessions.c.user_id == user_id,
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > clock.now(),
        )
        .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
        .offset(most)
    )
    return _end(sessions.c.id.in_(excess.scalar_subquery()), reason)


def _end(clause: Any, reason: str) -> tuple[bytes, ...]:
    statement = update(sessions).where(here(sessions), clause, sessions.c.ended_at.is_(None))
    done = statement.values(ended_at=clock.now(), end_reason=reason).returning(sessions.c.digest)
    with transaction() as tx:
        return tuple(bytes(digest) for digest in tx.execute(done).scalars())


def known_address(user_id: UUID, address: str, since: datetime) -> bool:
    """Whether this user signed in from this address since then."""
    statement = select(sessions.c.id).where(
        here(sessions),
        sessions.c.user_id == user_id,
        sessions.c.address == address,
        sessions.c.created_at >= since,
    )
    with transaction(readonly=True) as tx:
        return tx.execute(statement.limit(1)).first() is not None


def use(session_id: UUID, client_id: UUID) -> None:
    """Note that a client (its row's id) got tokens in this session; the first time counts."""
    row = {"tenant_id": home(), "id": uuid7(), "session_id": session_id, "client_id": client_id,
           "first_at": clock.now()}  # fmt: skip
    with transaction() as tx:
        tx.execute(upsert(session_clients).values(row).on_conflict_do_nothing())


def clients_of(session_id: UUID) -> tuple[UUID, ...]:
    """The clients (ids of their rows) that got tokens in this session, in the order of their first time."""
    statement = select(session_clients.c.client_id).where(
        here(session_clients), session_clients.c.session_id == session_id
    )
    with transaction(readonly=True) as tx:
        return tuple(tx.execute(statement.order_by(session_clients.c.first_at)).scalars())


def purge(before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` sessions that ended or expired before an instant; how many."""
    over = or_(sessions.c.ended_at < before, sessions.c.expires_at < before)
    chosen = select(sessions.c.id).where(here(sessions), over).limit(limit).scalar_subquery()
    with transaction() as tx:
        done = delete(sessions).where(here(sessions), sessions.c.id.in_(chosen)).returning(sessions.c.id)
        return len(tx.execute(done).all())
