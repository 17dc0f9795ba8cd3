"""Login transactions: an authorization request on its way through the pages, bound to one browser."""

from typing import Any

from idp.ids import digest
from idp.store import redis

KIND = "transaction"


def put(identifier: str, value: dict[str, Any], lifetime: int) -> None:
    """Keep the state of a transaction for `lifetime` seconds. Raises Away."""
    redis.put(KIND, digest(identifier).hex(), value, lifetime)


def get(identifier: str) -> dict[str, Any] | None:
    """The state of a transaction, or None when it is over or lost. Raises Away."""
    return redis.get(KIND, digest(identifier).hex())


def finish(identifier: str) -> dict[str, Any] | None:
    """The state of a transaction, ended by the same command: only one request can finish it. Raises Away."""
    return redis.take(KIND, digest(identifier).hex())
