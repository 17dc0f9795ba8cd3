"""How many requests of this process run Python at once, whatever the number of its threads.

Many threads are needed to wait: for a slow body, for a turn to hash. Many threads that all run cost a third of
the throughput, because each short signature gives up the interpreter's lock and has to win it back from all
the others. So a request takes a lane to run in and leaves it while it only waits.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

MOST = 3
"""Lanes of a process."""


class _Here(threading.local):
    taken = False


_here = _Here()
_free: SimpleQueue[None] | None = None


def open_(most: int = MOST) -> None:
    """Begin to count: at most `most` requests run at once. Before, everyone may."""
    global _free
    free: SimpleQueue[None] = SimpleQueue()
    for _ in range(most):
        free.put(None)
    _free = free


@contextmanager
def taken() -> Iterator[None]:
    """Run in a lane; waits until one is free."""
    free = _free
    if free is None or _here.taken:
        yield
        return
    free.get()
    _here.taken = True
    try:
        yield
    finally:
        _here.taken = False
        free.put(None)


@contextmanager
def left() -> Iterator[None]:
    """Leave the lane for as long as this thread only waits or computes outside the interpreter's lock."""
    free = _free
    if free is None or not _here.taken:
        yield
        return
    _here.taken = False
    free.put(None)
    try:
        yield
    finally:
        free.get()
        _here.taken = True
