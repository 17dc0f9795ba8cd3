"""Refusals that belong to no tenant: the newest few thousand of all processes, for seven days.

One list of bounded length: whoever floods it pushes out other strangers' lines, and nothing else. What is in
it concerns no tenant, so that its key carries none.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import cast
from uuid import UUID

from idp.store import redis
from idp.store.durable.refusals import Refused

KEY = "idp:refusals"
MOST = 5_000
"""Lines that are kept."""
KEPT = 7 * 86_400
"""Seconds after the last line for which they are kept."""

_KEEP = """
redis.call('LPUSH', KEYS[1], unpack(ARGV, 3))
redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


def keep(rows: Sequence[Refused]) -> None:
    """Add lines, at most some hundred; the oldest fall out. Raises Away."""
    if rows:
        lines = [json.dumps({**asdict(row), "id": str(row.id), "at": row.at.isoformat()}) for row in rows]
        redis.script(_KEEP, [KEY], [MOST, KEPT, *lines])


def find(request_id: str, since: dt.datetime) -> tuple[Refused, ...]:
    """The refusals of one request not older than `since`, in order. Raises Away."""
    raw = cast(list[bytes], redis.call(lambda client: client.lrange(KEY, 0, MOST - 1)))
    found = (_row(line) for line in reversed(raw) if request_id.encode() in line)
    return tuple(row for row in found if row.request_id == request_id and row.at >= since)


def _row(line: bytes) -> Refused:
    kept = json.loads(line)
    return Refused(**{**kept, "id": UUID(kept["id"]), "at": dt.datetime.fromisoformat(kept["at"])})
