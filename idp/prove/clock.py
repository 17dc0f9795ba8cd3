"""Time as the prover reads it: the product's own clock is the product's."""

import datetime as dt
import time


def now() -> dt.datetime:
    """The present, in UTC."""
    return dt.datetime.now(dt.UTC)


def elapsed() -> float:
    """Seconds of the machine's own clock; only differences mean anything."""
    return time.monotonic()


def epoch() -> int:
    """Seconds since 1970."""
    return int(time.time())
