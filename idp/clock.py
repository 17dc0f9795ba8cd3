"""The only reader of time.

Lifetimes of the protocol are compared in Python with :func:`now`, so that a frozen clock moves
codes, sessions, keys and tokens through their whole lives. The one exception is the expiry of the
signed tenant context, which Postgres judges with its own clock (`idp.store.context`).
"""

import datetime as dt
import time


def now() -> dt.datetime:
    """The present instant, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def epoch() -> int:
    """The present instant in whole seconds since 1970-01-01 UTC, as JWT's NumericDate (RFC 7519 §2)."""
    return int(time.time())


def from_instant(seconds: float) -> dt.datetime:
    """The instant that is `seconds`, fractions included, after 1970-01-01 UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def monotonic() -> float:
    """Seconds on a clock that never steps back; only differences mean anything."""
    return time.monotonic()
