"""`/livez` and `/readyz`: one word for everybody; codes and reasons are on the management listener.

Readiness is sticky: once every check has held, a part that goes away later degrades the service and is told,
but never takes every replica out at once. Only draining, or what the other replicas would not share,
turns it red again.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from flask import Response

from idp import clock, lanes
from idp.config import settings
from idp.control.readiness import run
from idp.control.readiness.check import Result, State
from idp.web.gates import Door, Gate

AGAIN = 0.25
"""Seconds between two looks while not ready, however many ask."""
SELDOM = 5.0
"""Seconds between two looks at what turns a ready process red."""


class Flag(Protocol):
    """Something that another process may set."""

    def is_set(self) -> bool:
        """Whether it is set."""
        ...


class Readiness:
    """Whether this process takes traffic."""

    def __init__(
        self,
        arrived: Callable[[], list[Result]] = lambda: run.arrived(settings()),
        lost: Callable[[], list[Result]] = lambda: run.lost(settings()),
    ) -> None:
        """`arrived`: what must hold before the first traffic; `lost`: what turns a ready process red."""
        self._arrived = arrived
        self._lost = lost
        self._lock = threading.Lock()
        self._known: list[Result] = []
        self._at = float("-inf")
        self._reached = False
        self._gone: dict[str, Result] = {}
        self.draining: Flag = threading.Event()

    def watch(self) -> None:
        """Look from now on in a thread of its own, whether anybody asks or not.

        A process that was once ready stays so, even when it is first asked while a server is away.
        """
        threading.Thread(target=self._watch, name="readiness", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            if self._reached:
                self._look_seldom()
            else:
                self.arrived()
            pause.wait(SELDOM if self._reached else AGAIN)

    def _look_seldom(self) -> None:
        for result in self._lost():
            if result.ok:
                self._gone.pop(result.check.code, None)
            elif result.state is not State.UNKNOWN:  # Postgres may be away: then nothing changes
                self._gone[result.check.code] = result

    def ready(self) -> bool:
        """Whether to answer 200."""
        if self.draining.is_set():
            return False
        return not self._gone if self._reached else all(result.ok for result in self.arrived())

    def arrived(self) -> list[Result]:
        """What must hold before the first traffic, as it was seen last, at most a quarter of a second ago."""
        with lanes.holding(self._lock):
            if clock.monotonic() - self._at > AGAIN:
                self._known = self._arrived()
                self._at = clock.monotonic()
                self._reached = self._reached or all(result.ok for result in self._known)
            return self._known

    def gone(self) -> list[Result]:
        """What turns a process red that was ready."""
        return list(self._gone.values())


readiness = Readiness()
door = Door("health", __name__, gate=Gate.PUBLIC)


@door.route("/livez", credentials=())
def livez() -> Response:
    """200 while the process lives."""
    return Response("alive\n", mimetype="text/plain")


@door.route("/readyz", credentials=())
def readyz() -> Response:
    """200 once this process may take traffic, else 503."""
    if readiness.ready():
        return Response("ready\n", mimetype="text/plain")
    response = Response("unready\n", 503, mimetype="text/plain")
    response.headers["Retry-After"] = "1"
    return response


DOORS = (door,)
