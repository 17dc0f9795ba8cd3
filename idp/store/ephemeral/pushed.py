"""Pushed authorization requests: kept by digest for as long as they may be begun, with a mark once one is answered.

The mark is a key of its own that outlives the request and every sign-in that began with it, so that of several
sign-ins that one request began exactly one comes to its end.
"""

from typing import Any

from idp.ids import digest
from idp.store import redis

KIND = "pushed"
ANSWERED = "pushed_answered"


def put(request_uri: str, value: dict[str, Any], lifetime: int) -> None:
    """Keep what `request_uri` stands for, for `lifetime` seconds. Raises Away."""
    redis.put(KIND, digest(request_uri).hex(), value, lifetime)


def get(request_uri: str) -> dict[str, Any] | None:
    """What `request_uri` stands for; None when it is unknown, over, or answered already. Raises Away."""
    name = digest(request_uri).hex()
    value, answered = redis.get_all((KIND, name), (ANSWERED, name))
    return None if answered is not None else value


def answer(request_uri: str, lifetime: int) -> bool:
    """Mark it as answered for `lifetime` seconds; True for exactly one of all who try. Raises Away."""
    return redis.put_once(ANSWERED, digest(request_uri).hex(), {}, lifetime)


def reopen(request_uri: str) -> None:
    """Take the mark back because nothing came of the answer. Raises Away."""
    redis.drop(ANSWERED, digest(request_uri).hex())
