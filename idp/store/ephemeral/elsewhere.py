"""What is asked for at one place and allowed at another: the request, its one answer, its polls, its user code.

The request is kept by the digest of what the client holds (a device code, an auth_req_id), which is also its name
among the pages; the answer is a key of its own that outlives it, so that of several that answer exactly one does.
Redeeming takes the request away, by the command that reads it.
"""

from typing import Any
from uuid import UUID

from idp.ids import digest
from idp.store import redis

KIND = "elsewhere"
ANSWER = "elsewhere_answer"
POLLED = "elsewhere_polled"
USER_CODE = "user_code"
FOR = "elsewhere_for"


def name_of(handle: str) -> str:
    """By what name a request is known whose client holds `handle`."""
    return digest(handle).hex()


def put(name: str, value: dict[str, Any], lifetime: int) -> None:
    """Keep a request for `lifetime` seconds. Raises Away."""
    redis.put(KIND, name, value, lifetime)


def get(name: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None, dict[str, Any] | None]:
    """The request, its answer, and how it was polled last; None for each that there is not. Raises Away."""
    value, answer, polled = redis.get_all((KIND, name), (ANSWER, name), (POLLED, name))
    return value, answer, polled


def answer(name: str, value: dict[str, Any], lifetime: int) -> bool:
    """Answer a request; True for exactly one of all who try. Raises Away."""
    return redis.put_once(ANSWER, name, value, lifetime)


def reopen(name: str) -> None:
    """Take the answer back because nothing came of it. Raises Away."""
    redis.drop(ANSWER, name)


def polled(name: str, value: dict[str, Any], lifetime: int) -> None:
    """Keep how a request was polled. Raises Away."""
    redis.put(POLLED, name, value, lifetime)


def burn(name: str) -> dict[str, Any] | None:
    """Take a request away; what it was, for exactly one of all who try. Raises Away."""
    return redis.take(KIND, name)


def restore(name: str, value: dict[str, Any], lifetime: int) -> None:
    """Give a burned request back because nothing came of it; Postgres still keeps it from being used twice."""
    redis.put_once(KIND, name, value, lifetime)


_NOTE = """
redis.call('SADD', KEYS[1], ARGV[1])
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 1
"""


def note(user_id: UUID, name: str, lifetime: int) -> None:
    """Note that a request waits for a person. Raises Away."""
    redis.script(_NOTE, [redis.key(FOR, str(user_id))], [name, max(1, lifetime)])


def noted(user_id: UUID) -> tuple[str, ...]:
    """The names of requests that wait, or have waited lately, for a person. Raises Away."""
    found = redis.script("return redis.call('SMEMBERS', KEYS[1])", [redis.key(FOR, str(user_id))], [])
    return tuple(sorted(each.decode() if isinstance(each, bytes) else str(each) for each in found))


def name_user_code(user_code: str, name: str, lifetime: int) -> bool:
    """Let `user_code` stand for a request; False when it stands for another one. Raises Away."""
    return redis.put_once(USER_CODE, digest(user_code).hex(), {"name": name}, lifetime)


def by_user_code(user_code: str) -> str | None:
    """The name of the request for which a user code stands, or None. Raises Away."""
    found = redis.get(USER_CODE, digest(user_code).hex())
    return None if found is None else str(found["name"])
