"""What Postgres and Redis say of themselves to the runtime role: one reading of each, for checks of readiness.

Each reading is bounded like every other call of the vault, and says nothing of any tenant.
"""

from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from idp import clock
from idp.store import database, redis

_SETTINGS = (
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
    "synchronous_commit", "synchronous_standby_names", "fsync", "full_page_writes",
)  # fmt: skip
_LOOK = f"""
SELECT current_setting('server_version'), pg_is_in_recovery(), extract(epoch FROM clock_timestamp()),
    ARRAY[{", ".join(f"current_setting('{name}')" for name in _SETTINGS)}]
"""
_REPLICAS = "SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical'"
_PINGS = 5


@dataclass(frozen=True, slots=True)
class PostgresSeen:
    """One reading of Postgres."""

    version: str
    replica: bool
    """Whether it is a standby, which cannot be written."""
    settings: dict[str, str]
    """As they hold for the runtime role."""
    slots: int | None
    """Physical replication slots: replicas that somebody wants; None where that may not be read."""
    offset: float
    """Its clock minus this process's, in seconds."""


@dataclass(frozen=True, slots=True)
class RedisSeen:
    """One reading of Redis."""

    info: dict[str, Any]
    """What INFO says."""
    offset: float
    """Its clock minus this process's, in seconds."""
    latency: float
    """The median of some PINGs, in seconds."""

    @property
    def name(self) -> str:
        """What it is and which version, such as valkey 9.1.2."""
        kind = str(self.info.get("server_name", "redis"))
        return f"{kind} {self.info.get(f'{kind}_version') or self.info.get('redis_version', '?')}"


def postgres() -> PostgresSeen:
    """Look at Postgres. Raises Unavailable."""
    with database.outside() as connection:
        version, replica, epoch, values = connection.exec_driver_sql(_LOOK).one()
        database.signer().measured(float(epoch))
    return PostgresSeen(
        str(version).split()[0], replica, dict(zip(_SETTINGS, values, strict=True)), _slots(),
        database.signer().offset,
    )  # fmt: skip


def _slots() -> int | None:
    try:
        with database.outside() as connection:
            return int(cast(int, connection.exec_driver_sql(_REPLICAS).scalar()))
    except sa.exc.ProgrammingError:
        return None


def cache() -> RedisSeen:
    """Look at Redis. Raises Away."""
    info = redis.call(lambda client: client.info())
    seconds, micros = redis.call(lambda client: client.time())
    offset = seconds + micros / 1e6 - clock.now().timestamp()
    durations = sorted(_ping() for _ in range(_PINGS))
    return RedisSeen(dict(info), offset, durations[_PINGS // 2])


def _ping() -> float:
    began = clock.monotonic()
    redis.call(lambda client: client.ping())
    return clock.monotonic() - began
