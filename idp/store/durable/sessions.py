"""The record of every sign-in session; the live copy in Redis is rebuilt from it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, delete, or_, select, update
from sqlalchemy import text as text_clause

from idp import clock
from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.clients import clients
from idp.store.durable.columns import (
    belongs,
    binary,
    first_counts,
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
from idp.store.durable.users import ACTIVE, users

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
    """A person signed in with one browser. `digest` is SHA-256 of the cookie.

    `sid` is a secret of 128 bits from which each client's `sid` is made; nobody is told it itself.
    """

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


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that has just ended: what its cookie, its person and its clients know it by."""

    id: UUID
    digest: bytes
    sid: str
    user_id: UUID


COLUMNS = (sessions.c.id, sessions.c.digest, sessions.c.sid, sessions.c.user_id, sessions.c.auth_time,
            sessions.c.amr, sessions.c.acr, sessions.c.created_at, sessions.c.last_seen_at, sessions.c.expires_at,
            sessions.c.ended_at, sessions.c.end_reason, sessions.c.address, sessions.c.user_agent)  # fmt: skip


_END = ("ended_at", "end_reason")

# Built once: building a statement costs more than running it, and these stand in the path of every request.
LIVE = and_(
    sessions.c.ended_at.is_(None),
    users.c.status == ACTIVE,
    or_(users.c.not_before.is_(None), users.c.not_before <= sessions.c.auth_time),
)
_LIVE = (
    select(*COLUMNS)
    .join_from(
        sessions, users, and_(users.c.tenant_id == sessions.c.tenant_id, users.c.id == sessions.c.user_id)
    )
    .where(sessions.c.tenant_id == bindparam("tenant"), LIVE)
)
_LIVE_BY_DIGEST = _LIVE.where(sessions.c.digest == bindparam("wanted"))
_LIVE_BY_ID = _LIVE.where(sessions.c.id == bindparam("wanted"))


def _session(row: Row[Any] | None) -> Session | None:
    return None if row is None else made(row)


def made(row: Sequence[Any]) -> Session:
    """A session from COLUMNS, in their order."""
    given = dict(zip(Session.__slots__, row, strict=True))
    return Session(**{**given, "digest": bytes(given["digest"]), "amr": tuple(given["amr"])})


# One way to Postgres: the person's row is held, the oldest sessions beyond the limit end, the new one is kept.
# Who waits for the row does so in a statement of its own: the next one then sees what the other has begun.
_BEGIN = text_clause(
    """
    SELECT FROM users WHERE tenant_id = :tenant AND id = :user_id FOR NO KEY UPDATE;
    WITH person AS (
        SELECT id FROM users WHERE tenant_id = :tenant AND id = :user_id AND status = 'active' FOR NO KEY UPDATE
    ), made AS (
        INSERT INTO sessions (tenant_id, id, digest, sid, user_id, auth_time, amr, acr, created_at, last_seen_at,
                              expires_at, address, user_agent)
        SELECT :tenant, :id, :digest, :sid, :user_id, :auth_time, :amr, :acr, :created_at, :last_seen_at,
               :expires_at, :address, :user_agent FROM person
        RETURNING id
    ), ended AS (
        UPDATE sessions SET ended_at = :created_at, end_reason = 'limit'
        WHERE tenant_id = :tenant AND id IN (
            SELECT id FROM sessions
            WHERE tenant_id = :tenant AND user_id = :user_id AND ended_at IS NULL AND expires_at > :created_at
            ORDER BY created_at DESC, id DESC OFFSET :others)
        RETURNING id, digest, sid
    )
    SELECT (SELECT count(*) FROM made), (SELECT array_agg(id) FROM ended), (SELECT array_agg(digest) FROM ended),
           (SELECT array_agg(sid) FROM ended)
    """
).bindparams(
    bindparam("tenant", type_=sessions.c.tenant_id.type),
    *(bindparam(column.name, type_=column.type) for column in COLUMNS if column.name not in _END),
)


def begin(session: Session, most: int) -> tuple[Ended, ...] | None:
    """Record a session that begins, so that its user has at most `most`: the oldest, which have ended.

    None when there is no such user or the user is disabled; the user's row is held until the transaction ends.
    """
    values = {name: getattr(session, name) for name in Session.__slots__ if name not in _END}
    values |= {"amr": list(session.amr), "tenant": home(), "others": most - 1}
    with transaction() as tx:
        made, *ended = tx.execute(_BEGIN, values).one()
    if not made:
        return None
    over = zip(*(each or () for each in ended), strict=True)
    return tuple(_ended(number, digest, sid, session.user_id) for number, digest, sid in over)


def _ended(session_id: Any, digest: Any, sid: Any, user_id: Any) -> Ended:
    return Ended(UUID(str(session_id)), bytes(digest), str(sid), user_id)


def live_by_digest(digest: bytes) -> Session | None:
    """The session of this cookie's digest, if it has not ended and its person may be spoken for.

    A person who is disabled, or whose `not_before` is after the sign-in, has no live session. Idle and
    absolute expiry are the caller's to judge.
    """
    return _live(_LIVE_BY_DIGEST, digest)


def live_by_id(session_id: UUID) -> Session | None:
    """As `live_by_digest`, by the session's id."""
    return _live(_LIVE_BY_ID, session_id)


def _live(statement: Any, wanted: bytes | UUID) -> Session | None:
    with transaction(readonly=True) as tx:
        return _session(tx.execute(statement, {"tenant": home(), "wanted": wanted}).one_or_none())


def by_id(session_id: UUID) -> Session | None:
    """The session of this id, ended or not."""
    with transaction(readonly=True) as tx:
        found = tx.execute(select(*COLUMNS).where(here(sessions), sessions.c.id == session_id))
        return _session(found.one_or_none())


def of_user(user_id: UUID) -> tuple[Session, ...]:
    """The sessions of a user that have not ended and not passed their absolute age, the oldest first."""
    statement = select(*COLUMNS).where(
        here(sessions),
        sessions.c.user_id == user_id,
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > clock.now(),
    )
    with transaction(readonly=True) as tx:
        rows = tx.execute(statement.order_by(sessions.c.created_at, sessions.c.id).limit(10_000))
        return tuple(found for row in rows if (found := _session(row)))


_SEEN = (
    update(sessions)
    .where(
        sessions.c.tenant_id == bindparam("tenant"),
        sessions.c.id == bindparam("session"),
        sessions.c.ended_at.is_(None),
    )
    .values(last_seen_at=bindparam("at"))
    .returning(sessions.c.id)
)


def seen(session_id: UUID, at: datetime) -> bool:
    """Move `last_seen_at` forward; False when the session has ended."""
    with transaction() as tx:
        return tx.execute(_SEEN, {"tenant": home(), "session": session_id, "at": at}).first() is not None


def renew(old: Session, new: Session) -> bool:
    """Give a session another cookie and what it now proves; False when it has ended or moved on meanwhile."""
    names = ("digest", "auth_time", "acr", "last_seen_at", "expires_at", "address", "user_agent")
    values = {name: getattr(new, name) for name in names} | {"amr": list(new.amr)}
    same = and_(sessions.c.id == old.id, sessions.c.digest == old.digest, sessions.c.ended_at.is_(None))
    with transaction() as tx:
        renewed = update(sessions).where(here(sessions), same).values(values).returning(sessions.c.id)
        return tx.execute(renewed).first() is not None


def end(session_id: UUID, reason: str) -> Ended | None:
    """End a session; what it was, or None when it had ended or is none."""
    ended = _end(sessions.c.id == session_id, reason)
    return ended[0] if ended else None


def end_of_user(user_id: UUID, reason: str, keep: UUID | None = None) -> tuple[Ended, ...]:
    """End all sessions of a user but `keep`; what they were."""
    clause = sessions.c.user_id == user_id
    return _end(clause if keep is None else and_(clause, sessions.c.id != keep), reason)


def _end(clause: Any, reason: str) -> tuple[Ended, ...]:
    statement = update(sessions).where(here(sessions), clause, sessions.c.ended_at.is_(None))
    known = (sessions.c.id, sessions.c.digest, sessions.c.sid, sessions.c.user_id)
    done = statement.values(ended_at=clock.now(), end_reason=reason).returning(*known)
    with transaction() as tx:
        return tuple(_ended(*row) for row in tx.execute(done))


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


_USE = first_counts(session_clients)


def use(session_id: UUID, client_id: UUID) -> None:
    """Note that a client (its row's id) got tokens in this session; the first time counts."""
    row = {"tenant_id": home(), "id": uuid7(), "session_id": session_id, "client_id": client_id,
           "first_at": clock.now()}  # fmt: skip
    with transaction() as tx:
        tx.execute(_USE, row)


def clients_of(session_id: UUID) -> tuple[UUID, ...]:
    """The clients (ids of their rows) that got tokens in this session, in the order of their first time."""
    statement = select(session_clients.c.client_id).where(
        here(session_clients), session_clients.c.session_id == session_id
    )
    with transaction(readonly=True) as tx:
        return tuple(tx.execute(statement.order_by(session_clients.c.first_at)).scalars())


def listeners(session_ids: Collection[UUID], member: str) -> tuple[tuple[UUID, UUID], ...]:
    """Who got tokens in these sessions and has `member` in its metadata: pairs of a session's and a client's id."""
    used = and_(
        clients.c.tenant_id == session_clients.c.tenant_id, clients.c.id == session_clients.c.client_id
    )
    statement = (
        select(session_clients.c.session_id, session_clients.c.client_id)
        .join(clients, used)
        .where(
            here(session_clients),
            session_clients.c.session_id.in_(session_ids),
            clients.c.status == "active",
            clients.c.metadata.has_key(member),
        )
        .order_by(session_clients.c.first_at)
    )
    with transaction(readonly=True) as tx:
        return tuple((row.session_id, row.client_id) for row in tx.execute(statement))


def purge(before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` sessions that ended or expired before an instant; how many."""
    over = or_(sessions.c.ended_at < before, sessions.c.expires_at < before)
    chosen = select(sessions.c.id).where(here(sessions), over).limit(limit).scalar_subquery()
    with transaction() as tx:
        done = delete(sessions).where(here(sessions), sessions.c.id.in_(chosen)).returning(sessions.c.id)
        return len(tx.execute(done).all())
