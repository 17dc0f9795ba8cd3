"""When a server is taken to be away: calls to it fail at once, and now and then one of them sees whether it is back."""

import threading

from idp import clock, metrics

FAILURES = 2
"""Failures in a row that open the breaker of Redis."""

TRY_EVERY = 1.0
"""Seconds between two attempts while the breaker is open."""

DOUBT = 60.0
"""Seconds after the breaker closed during which live copies are compared with Postgres."""


class Breaker:
    """Counts failures in a row; open, it lets one call a second through."""

    def __init__(
        self, gauge: str = "redis_open", failures: int = FAILURES, longest: float = TRY_EVERY
    ) -> None:
        """Closed at first. `gauge`: the metric that shows it; `failures`: in a row, that open it; `longest`:
        seconds that one attempt may take, during which nobody makes another.
        """
        self._gauge = gauge
        self._most = failures
        self._longest = longest
        self._lock = threading.Lock()
        self._failures = 0
        self._next_try = 0.0
        self._doubt_until = 0.0

    @property
    def open(self) -> bool:
        """Whether the server is taken to be away."""
        return self._failures >= self._most

    @property
    def doubtful(self) -> bool:
        """Whether the server is away or was within the last DOUBT seconds."""
        return self.open or clock.monotonic() < self._doubt_until

    def allow(self) -> bool:
        """Whether a call may be tried now."""
        if not self.open:
            return True
        with self._lock:
            now = clock.monotonic()
            if now < self._next_try:
                return False
            self._next_try = now + self._longest
            return True

    def succeeded(self) -> None:
        """A call was answered."""
        if self._failures:
            with self._lock:
                if self.open:
                    self._doubt_until = clock.monotonic() + DOUBT
                self._failures = 0
            metrics.show(self._gauge, 0)

    def failed(self) -> None:
        """A call was not answered."""
        with self._lock:
            self._failures += 1
            self._doubt_until = clock.monotonic() + DOUBT
            if self.open:
                self._next_try = clock.monotonic() + TRY_EVERY
                metrics.show(self._gauge, 1)
