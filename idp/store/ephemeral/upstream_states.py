"""What was sent along with a person to an upstream and has to come back: kept by the digest of `state`, taken once."""

from typing import Any

from idp.ids import digest
from idp.store import redis

KIND = "upstream_state"


def put(state: str, value: dict[str, Any], lifetime: int) -> None:
    """Keep what `state` stands for, for `lifetime` seconds. Raises Away."""
    redis.put(KIND, digest(state).hex(), value, lifetime)


def get(state: str) -> dict[str, Any] | None:
    """What `state` stands for, which stays; None when it is unknown, over or taken. Raises Away."""
    return redis.get(KIND, digest(state).hex())


def take(state: str) -> bool:
    """Burn it; True for exactly one of all who try. Raises Away."""
    return redis.take(KIND, digest(state).hex()) is not None
