"""How many requests of this process run Python at once, whatever the number of its threads.

Many threads are needed to wait: for a slow body, for a turn to hash. Many threads that all run cost a third of
the throughput, because each short signature gives up the interpreter's lock and has to win it back from all
the others. So a request takes a lane to run in and leaves it while it only waits.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Lock

MOST = 2
"""Lanes of a process."""


class _Here(threading.local):
    taken = False
    depth = 0


_here = _Here()
_free: SimpleQueue[None] | None = None


def open_(most: int = MOST) -> None:
    """Begin to count: at most `most` requests run at once. Before, everyone may."""
    global _free
    free: SimpleQueue[None] = SimpleQueue()
    for _ in range(most):
        free.put(None)
    _free = free


class _Taken:
    """See `taken`. One object for all: what it has to know is kept by thread."""

    __slots__ = ()

    def __enter__(self) -> None:
        free = _free
        if free is None or _here.depth:
            _here.depth += 1
            return
        free.get()
        _here.taken, _here.depth = True, 1

    def __exit__(self, *_: object) -> None:
        _here.depth -= 1
        if _here.taken and not _here.depth:
            _here.taken = False
            if _free is not None:
                _free.put(None)


_TAKEN = _Taken()


def taken() -> _Taken:
    """Run in a lane; waits until one is free."""
    return _TAKEN


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


@contextmanager
def holding(lock: Lock) -> Iterator[None]:
    """Hold `lock`, which is held while its holder leaves its lane: never waits for it inside a lane.

    Else those who wait would sit in every lane, and the holder could not come back into one.
    """
    if not lock.acquire(blocking=False):
        with left():
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
