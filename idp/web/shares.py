"""How many threads of this process one tenant may hold while it is slow.

A quick tenant may use every thread: refusing it would waste them. Once its oldest request has run for a
second (a lock, a queue, a slow statement), it keeps three quarters at most, so that others are answered.
"""

import itertools
import threading
from uuid import UUID

from idp import clock, metrics
from idp.errors import Busy

SLOW = 1.0
"""Seconds after which a running request counts as slow."""

_numbers = itertools.count()
_running: dict[UUID, dict[int, float]] = {}
_lock = threading.Lock()
_cap = 12


def threads(count: int) -> None:
    """Tell how many threads answer requests in this process."""
    global _cap
    _cap = max(1, count - max(1, count // 4))


def take(tenant: UUID) -> int:
    """Hold one thread for `tenant` until `give`; raises Busy when it holds its share and is slow."""
    now = clock.monotonic()
    with _lock:
        mine = _running.setdefault(tenant, {})
        if len(mine) >= _cap and now - next(iter(mine.values())) > SLOW:
            metrics.count("throttled_total", kind="share")
            raise Busy(rule="share", expected=_cap, got=len(mine), retry_after=1)
        number = next(_numbers)
        mine[number] = now
    return number


def give(tenant: UUID, number: int) -> None:
    """Let go of the thread that `take` answered with."""
    with _lock:
        mine = _running[tenant]
        del mine[number]
        if not mine:
            del _running[tenant]
