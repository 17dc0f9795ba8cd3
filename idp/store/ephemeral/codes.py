"""Authorization codes: kept by digest, burned by the command that reads them."""

from typing import Any

from idp.ids import digest
from idp.store import redis

KIND = "code"


def put(code: str, value: dict[str, Any], lifetime: int) -> None:
    """Keep what `code` stands for, for `lifetime` seconds. Raises Away."""
    redis.put_later(KIND, digest(code).hex(), value, lifetime)


def burn(code: str) -> dict[str, Any] | None:
    """What `code` stands for, gone with the command that gives it; None when it is unknown. Raises Away.

    It is looked at before it is burned. A Redis that has stopped swallows a command and carries it out once it
    goes on, when nobody waits for the answer any more: a look that was swallowed takes nothing away.
    """
    if redis.get(KIND, digest(code).hex()) is None:
        return None
    return redis.take(KIND, digest(code).hex())


def restore(code: str, value: dict[str, Any], lifetime: int) -> None:
    """Give a burned code back because nothing came of it; Postgres still keeps it from being used twice."""
    redis.put_once(KIND, digest(code).hex(), value, lifetime)
