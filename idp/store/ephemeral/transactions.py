"""Login transactions: an authorization request on its way through the pages, bound to one browser."""

from typing import Any

from idp.ids import digest
from idp.store import redis

KIND = "transaction"
OVER = "transaction_over"


def put(identifier: str, value: dict[str, Any], lifetime: int) -> None:
    """Keep the state of a transaction for `lifetime` seconds. Raises Away."""
    redis.put(KIND, digest(identifier).hex(), value, lifetime)


def get(identifier: str) -> dict[str, Any] | None:
    """The state of a transaction, or None when it is over or lost. Raises Away."""
    name = digest(identifier).hex()
    state, ended = redis.get_all((KIND, name), (OVER, name))
    return None if ended is not None else state


def finish(identifier: str, lifetime: int) -> bool:
    """End a transaction; True for exactly one of all who try. Raises Away.

    The end is a key of its own that outlives the state, so that a page which read the state before it and
    writes it back after it revives nothing.
    """
    return redis.put_once_instead(OVER, KIND, digest(identifier).hex(), {}, lifetime)


def over(identifier: str) -> bool:
    """Whether a transaction has come to its end, as opposed to being lost or unknown. Raises Away."""
    return redis.get(OVER, digest(identifier).hex()) is not None


def reopen(identifier: str, value: dict[str, Any], lifetime: int) -> None:
    """Take an end back because nothing came of it. Raises Away."""
    put(identifier, value, lifetime)
    redis.drop(OVER, digest(identifier).hex())
