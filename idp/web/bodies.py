"""How many threads of this process one address may hold with bodies that are slow to arrive (attack DO03).

The server calls us before the body is there, so a thread waits for whatever the sender still owes; a quarter
of the threads stays out of any one address' reach. In production a proxy in front holds bodies back.
"""

import threading
from collections.abc import Callable

from idp import lanes, metrics
from idp.errors import Busy

PATIENCE = 0.25
"""Seconds for which one more body waits for another one of its address to be complete."""

_reading: dict[str, int] = {}
_changed = threading.Condition()
_cap = 12


def threads(count: int) -> None:
    """Tell how many threads answer requests in this process."""
    global _cap
    _cap = max(1, count - max(1, count // 4))


def read(address: str, source: Callable[[int], bytes], length: int) -> bytes:
    """`length` bytes from `source`, or fewer when the sender left; raises Busy when `address` owes too many."""
    with _changed:
        if _reading.get(address, 0) >= _cap and not _changed.wait_for(
            lambda: _reading.get(address, 0) < _cap, PATIENCE
        ):
            metrics.count("throttled_total", kind="bodies")
            raise Busy(rule="bodies", expected=_cap)
        _reading[address] = _reading.get(address, 0) + 1
    try:
        with lanes.left():
            return source(length)
    finally:
        with _changed:
            left = _reading[address] - 1
            if left:
                _reading[address] = left
            else:
                del _reading[address]
            _changed.notify()
