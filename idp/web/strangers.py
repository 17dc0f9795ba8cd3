"""How often one address may ask for tenants and hosts that do not exist.

Held in memory, because such requests must cost nothing elsewhere, and bounded, because the addresses are
the caller's choice.
"""

import threading

from idp import clock

PER_MINUTE = 12_000
"""The answer is the same bytes each time and costs what a refusal would: this stops floods, not curiosity."""
_ADDRESSES = 10_000
_WINDOW = 60.0

_seen: dict[str, tuple[float, int]] = {}
_lock = threading.Lock()


def patience(address: str) -> int | None:
    """Count one request of `address` for something unknown; seconds to wait when it asked too often."""
    now = clock.monotonic()
    with _lock:
        start, count = _seen.get(address, (now, 0))
        if now - start >= _WINDOW:
            start, count = now, 0
        _seen.pop(address, None)
        _seen[address] = (start, count + 1)
        if len(_seen) > _ADDRESSES:
            del _seen[next(iter(_seen))]
    return int(start + _WINDOW - now) + 1 if count >= PER_MINUTE else None
