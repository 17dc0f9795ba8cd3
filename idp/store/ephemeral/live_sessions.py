"""The live copy of sessions, for speed. Postgres holds the truth, and the copy says when it last agreed.

Each copy is keyed by the digest of the cookie. What ended leaves a tombstone for two minutes, so that a
request which read Postgres before the end cannot put the session back; where a tombstone lies, or nothing,
Postgres is asked. A copy that is not believed any more is taken away before Postgres is read and put back
after, only where nothing lies: whatever ends the session in between comes last.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from idp import clock
from idp.store import redis
from idp.store.durable.sessions import Session
from idp.store.redis import Away

KIND = "session"
VERSION = 1  # of the value; a copy of another version is not read but replaced (a tombstone has 0)
TRUSTED = 60  # seconds that a copy is believed after it was compared with Postgres
SILENCE = 1.0  # seconds without a word from Redis after which it may have been away at a sign-out
TOMBSTONE = 120  # seconds

_TAKE_AWAY = """
local kept = redis.call('GET', KEYS[1])
if kept and cjson.decode(kept).v.version ~= 0 then redis.call('DEL', KEYS[1]) end
return 0
"""

_INSTANTS = ("auth_time", "created_at", "last_seen_at", "expires_at")
_TEXTS = ("sid", "acr", "address", "user_agent")


class _Heard:
    last: datetime | None = None  # when Redis last answered this process about a session


_heard = _Heard()


def get(digest: bytes) -> Session | None:
    """The copy, when it may be believed without asking Postgres; None when Postgres must be asked.

    Not believed: a copy that was not compared for a minute; any for a minute after Redis failed this
    process; any when Redis was not heard of for a second before, because it may have failed another.
    """
    try:
        kept = redis.get(KIND, digest.hex())
        now = clock.now()
        before, _heard.last = _heard.last, now
        if kept is None or kept.get("version") == 0:
            return None
        steady = before is not None and abs((now - before).total_seconds()) <= SILENCE
        fresh = kept.get("version") == VERSION and 0 <= now.timestamp() - kept["compared"] < TRUSTED
        if steady and fresh and not redis.breaker().doubtful:
            return _session(digest, kept)
        take_away(digest)
    except Away:
        pass
    return None


def take_away(digest: bytes) -> None:
    """Remove a copy, but no tombstone, before Postgres is read. Without Redis, nothing."""
    try:
        redis.script(_TAKE_AWAY, [redis.key(KIND, digest.hex())], [])
    except Away:
        pass


def put(session: Session, ttl: int) -> None:
    """Keep a copy of what Postgres has just said, where nothing lies. Without Redis, nothing.

    `ttl`: seconds after which Redis sweeps it up.
    """
    redis.put_later(KIND, session.digest.hex(), _value(session), ttl, once=True, needed=False)


def bury(digest: bytes) -> bool:
    """Put a tombstone in the copy's place; False when Redis is away and it must be repeated.

    A Redis that is full takes no tombstone but still deletes.
    """
    try:
        redis.put(KIND, digest.hex(), {"version": 0}, TOMBSTONE)
        return True
    except Away:
        take_away(digest)
    return False


def _value(session: Session) -> dict[str, Any]:
    instants = {name: getattr(session, name).timestamp() for name in _INSTANTS}
    texts = {name: getattr(session, name) for name in _TEXTS}
    return {"version": VERSION, "compared": clock.now().timestamp(), "id": str(session.id),
            "user_id": str(session.user_id), "amr": list(session.amr), **instants, **texts}  # fmt: skip


def _session(digest: bytes, kept: dict[str, Any]) -> Session:
    instants: dict[str, Any] = {name: datetime.fromtimestamp(kept[name], UTC) for name in _INSTANTS}
    texts: dict[str, Any] = {name: kept[name] for name in _TEXTS}
    return Session(id=UUID(kept["id"]), digest=digest, user_id=UUID(kept["user_id"]), amr=tuple(kept["amr"]),
                   ended_at=None, end_reason=None, **instants, **texts)  # fmt: skip
