"""Sessions: who is signed in with which browser, since when, and by what proof.

The cookie's token has 256 bits and is new at every sign-in and change of privilege; only its digest is kept.
Postgres holds the record and the last word, Redis a live copy for speed. Idle and absolute age are compared
with the application's clock. Ending writes Postgres first, and with it the notices for those clients that want to
know (`idp.accounts.notices`); a tombstone that Redis did not take is repeated from the outbox (topic `session.drop`,
carried out by `drop`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from idp import audit, clock, directory
from idp.accounts import assurance, notices
from idp.audit import Event
from idp.errors import AccessDenied
from idp.ids import digest, secret, uuid7
from idp.store.database import again, transaction
from idp.store.durable import outbox, sessions, users
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Ended, Session
from idp.store.durable.users import User
from idp.store.ephemeral import live_sessions
from idp.tenants import current

TOUCH_EVERY = 60  # seconds; `last_seen_at` is exact to this, or to a twentieth of a shorter idle time
FRESH = 300
"""Seconds since a sign-in within which it is a fresh one."""
TOPIC = "session.drop"
TOKEN_LENGTH = 43  # 256 bits in base64url
_AGENT_LONGEST = 256
_ADDRESS_LONGEST = 64


@again
def start(
    user: User,
    amr: Sequence[str],
    address: str | None,
    agent: str | None,
    *,
    replaces: Session | None = None,
    auth_time: datetime | None = None,
) -> tuple[Session, str]:
    """Begin a session for `user` after a sign-in: the session and its new cookie token.

    `auth_time`: when they proved who they are, where that was before now (at an upstream).
    `replaces`, the browser's session until now, ends or, when it is the same person's, goes on under the new
    token with a new `auth_time`. The oldest sessions beyond the policy's `sessions_per_user` end.
    Raises AccessDenied when the user was disabled meanwhile, Unavailable without Postgres.
    """
    token = secret()
    ended: list[Ended] = []
    with transaction():
        session = _renewed(user, amr, address, agent, token, replaces, ended, auth_time) or _new(
            user, amr, address, agent, token, ended, auth_time
        )
        notices.leave(ended)
    _bury([each.digest for each in ended])
    if replaces is not None and replaces.id == session.id:
        _bury([replaces.digest])
    live_sessions.put(session, _ttl())
    return session, token


def _new(
    user: User,
    amr: Sequence[str],
    address: str | None,
    agent: str | None,
    token: str,
    ended: list[Ended],
    auth_time: datetime | None,
) -> Session:
    at = clock.now()
    session = Session(
        id=uuid7(), digest=digest(token), sid=secret(128), user_id=user.id, auth_time=auth_time or at, amr=tuple(amr),
        acr=assurance.acr(amr), created_at=at, last_seen_at=at, ended_at=None, end_reason=None,
        expires_at=at + timedelta(seconds=current().policy.session_absolute),
        address=_short(address, _ADDRESS_LONGEST), user_agent=_short(agent, _AGENT_LONGEST),
    )  # fmt: skip
    beyond = sessions.begin(session, current().policy.sessions_per_user)
    if beyond is None:
        raise AccessDenied(rule="sessions.user_active", got=str(user.id))
    ended += beyond
    audit.record(Event.SESSION_STARTED, _person(user.id, address), session_id=session.id, amr=list(amr))
    return session


def _renewed(
    user: User,
    amr: Sequence[str],
    address: str | None,
    agent: str | None,
    token: str,
    old: Session | None,
    ended: list[Ended],
    auth_time: datetime | None,
) -> Session | None:
    """The same person's session under a new token, or None when there is none to go on with.

    A sign-in that lies before that of the session does not go on with it: what was proved later was something else.
    """
    if old is None:
        return None
    if old.user_id != user.id or (auth_time is not None and auth_time < old.auth_time):
        if (gone := sessions.end(old.id, "replaced")) is not None:
            ended.append(gone)
            audit.record(
                Event.SESSION_ENDED, _person(old.user_id, address), session_id=old.id, why="replaced"
            )
        return None
    at = clock.now()
    new = replace(
        old, digest=digest(token), auth_time=auth_time or at, amr=tuple(amr), acr=assurance.acr(amr), last_seen_at=at,
        expires_at=at + timedelta(seconds=current().policy.session_absolute),
        address=_short(address, _ADDRESS_LONGEST), user_agent=_short(agent, _AGENT_LONGEST),
    )  # fmt: skip
    holder = users.held(user.id)
    if holder is None or not holder.active:
        raise AccessDenied(rule="sessions.user_active", got=str(user.id))
    if not sessions.renew(old, new):
        return None
    audit.record(Event.SESSION_ROTATED, _person(user.id, address), session_id=old.id, amr=list(amr))
    return new


@again
def raised(session: Session, amr: Sequence[str]) -> tuple[Session, str] | None:
    """The same session under a new token once more was proved in it; None when it has ended meanwhile.

    Its `auth_time` stays that of the first factor, so that nobody takes an old sign-in for a new one.
    """
    return rotate(replace(session, amr=tuple(amr), acr=assurance.acr(amr)), session)


@again
def proved_anew(session: Session, amr: Sequence[str]) -> tuple[Session, str] | None:
    """The same session under a new token, as of now, once this was proved in it; None when it has ended meanwhile.

    What was proved before stays beside it only as long as that is fresh: nobody takes an old proof for a new one.
    """
    at = clock.now()
    if at < session.auth_time + timedelta(seconds=FRESH):
        amr = tuple(dict.fromkeys((*session.amr, *amr)))
    new = replace(session, auth_time=at, amr=tuple(amr), acr=assurance.acr(amr))
    return rotate(new, session)


@again
def rotate(session: Session, old: Session | None = None) -> tuple[Session, str] | None:
    """The same session under a new token, at a change of privilege; None when it has ended meanwhile.

    `old`: as it was until now, where more than its token changes.
    """
    token = secret()
    new = replace(session, digest=digest(token), last_seen_at=clock.now())
    with transaction():
        if not sessions.renew(old or session, new):
            return None
        facts = {"amr": list(new.amr)} if old is not None else {}
        audit.record(Event.SESSION_ROTATED, _person(session.user_id), session_id=session.id, **facts)
    _bury([session.digest])
    live_sessions.put(new, _ttl())
    return new, token


def read(token: str | None) -> Session | None:
    """The live session of a cookie, or None: unknown, malformed, ended, idle too long, too old, another tenant's.

    Without Redis it is read from Postgres. Raises Unavailable when Postgres is needed and away.
    """
    if not token or len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    key = digest(token)
    session = live_sessions.get(key)
    if session is None and (session := sessions.live_by_digest(key)) is not None and within_age(session):
        live_sessions.put(session, _ttl())
    return session if session is not None and within_age(session) else None


def within_age(session: Session) -> bool:
    """Whether a session is neither idle too long nor too old, by the tenant's policy and `not_before` of now."""
    policy, now, since = current().policy, clock.now(), directory.not_before()
    if since is not None and session.auth_time < since:
        return False
    # A session can be younger than the sign-in at an upstream that it rests on.
    began = max(session.auth_time, session.created_at)
    oldest = began + timedelta(seconds=policy.session_absolute)
    idle = session.last_seen_at + timedelta(seconds=policy.session_idle)
    return now < idle and now < min(session.expires_at, oldest)


def alive(session_id: UUID) -> Session | None:
    """The session of this id if it is live by Postgres and by age: what tokens that end with it depend on."""
    session = sessions.live_by_id(session_id)
    return session if session is not None and within_age(session) else None


def touch(session: Session) -> Session:
    """Say that the session was used; written at most once a minute. The session as it is now."""
    now = clock.now()
    every = min(TOUCH_EVERY, max(1, current().policy.session_idle // 20))
    if now - session.last_seen_at < timedelta(seconds=every):
        return session
    live_sessions.take_away(session.digest)
    if not sessions.seen(session.id, now):
        return session
    seen = replace(session, last_seen_at=now)
    live_sessions.put(seen, _ttl())
    return seen


@again
def end(session: Session, reason: str) -> bool:
    """End a session everywhere; False when it had ended before. `reason`: one word for the record."""
    with transaction():
        gone = sessions.end(session.id, reason)
        if gone is not None:
            notices.leave([gone])
            audit.record(Event.SESSION_ENDED, session_id=session.id, user_id=session.user_id, why=reason)
    _bury([gone.digest if gone else session.digest])
    return gone is not None


@again
def end_all(user: User | UUID, reason: str, *, keep: Session | None = None) -> int:
    """End every session of a user but `keep`; how many ended."""
    user_id = user.id if isinstance(user, User) else user
    with transaction():
        gone = sessions.end_of_user(user_id, reason, keep.id if keep else None)
        if gone:
            notices.leave(gone)
            audit.record(Event.SESSION_ENDED, user_id=user_id, why=reason, count=len(gone))
    _bury(each.digest for each in gone)
    return len(gone)


def _bury(digests: Iterable[bytes]) -> None:
    """Bury the copies; what Redis does not take now is repeated by the worker."""
    for each in digests:
        if not live_sessions.bury(each):
            outbox.put(TOPIC, {"digest": each.hex()})


def drop(payload: dict[str, Any]) -> bool:
    """Carry out one message of the topic `session.drop`; False when Redis is still away."""
    return live_sessions.bury(bytes.fromhex(payload["digest"]))


def used_by(session: Session, client_id: UUID) -> None:
    """Note that a client (its row's id) got tokens in this session."""
    sessions.use(session.id, client_id)


def clients_of(session: Session) -> tuple[UUID, ...]:
    """The clients (ids of their rows) that got tokens in this session, the first first."""
    return sessions.clients_of(session.id)


def known_as(session_id: UUID | None, client: Client) -> str | None:
    """The `sid` by which a client knows a session, for one that needs it; asks Postgres for such a client only.

    None also when the session's record is gone. OpenID Connect Front-Channel Logout 1.0 §3.
    """
    if session_id is None or not notices.needs_sid(client):
        return None
    session = sessions.by_id(session_id)
    return None if session is None else notices.sid(session.sid, client.id)


def of_user(user_id: UUID) -> tuple[Session, ...]:
    """The live sessions of a user, the oldest first."""
    return tuple(session for session in sessions.of_user(user_id) if within_age(session))


def purge(older: timedelta = timedelta(days=30), limit: int = 1000) -> int:
    """Delete records of sessions that have been over for `older`; how many."""
    return sessions.purge(clock.now() - older, limit)


def _ttl() -> int:
    """Seconds after which Redis sweeps a copy up: longer than the clock could let it live."""
    return min(current().policy.session_idle, current().policy.session_absolute) + live_sessions.TRUSTED


def _person(user_id: UUID, address: str | None = None) -> audit.Actor:
    return audit.Actor("user", str(user_id), address)


def _short(value: str | None, longest: int) -> str | None:
    """What a browser said of itself, bounded, and without what Postgres cannot store."""
    if value is None:
        return None
    return value[:longest].encode("utf-8", "replace").decode().replace("\x00", "?")
