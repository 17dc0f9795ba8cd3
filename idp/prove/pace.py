"""How fast a probe goes, so that a proof on a busy system stays a small part of its load, and how it is stopped.

Groups are tried beside each other, each at a pace of its own; what stops one stops them all at their next attempt.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from idp.prove import clock
from idp.prove.promises import NotProved

_stopped = Event()


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """What ends every probe at its next attempt, for the length of the block."""
    try:
        yield _stopped.set
    finally:
        _stopped.clear()


class Pace:
    """Attempts at most `per_second`."""

    def __init__(self, per_second: float) -> None:
        """Nothing waits for the first one."""
        self._pause = 1 / per_second
        self._next = 0.0

    def wait(self) -> None:
        """Until the next attempt is due. Raises NotProved when the proof was stopped."""
        if _stopped.is_set():
            raise NotProved("The proof was stopped.")
        now = clock.elapsed()
        if self._next > now:
            time.sleep(self._next - now)
        self._next = max(self._next, now) + self._pause
