"""Authorization codes: kept by digest, burned by the command that reads them."""

from typing import Any

from idp.ids import digest
from idp.store import redis

KIND = "code"


def put(code: str, value: dict[str, Any], lifetime: int) -> None:
    """Keep what `code` stands for, for `lifetime` seconds. Raises Away."""
    redis.put(KIND, digest(code).hex(), value, lifetime)


def burn(code: str) -> dict[str, Any] | None:
    """What `code` stands for, gone with the same command; None when it is unknown. Raises Away."""
    return redis.take(KIND, digest(code).hex())


def restore(code: str, value: dict[str, Any], lifetime: int) -> None:
    """Give a burned code back because nothing came of it; Postgres still keeps it from being used twice."""
    redis.put_once(KIND, digest(code).hex(), value, lifetime)
