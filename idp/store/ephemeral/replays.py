"""What may be presented once within a short time: marked in Redis, for all processes, by a digest."""

from idp.store import redis

KIND = "replay"


def first(name: str, lifetime: int) -> bool:
    """Mark `name`, a digest, for `lifetime` seconds; True for exactly one of all who try. Raises Away."""
    return redis.put_once(KIND, name, {}, lifetime)


def doubtful() -> bool:
    """Whether Redis is away or was within the last minute, so that marks may have been left elsewhere."""
    return redis.breaker().doubtful
