"""`/livez` and `/readyz`: one word for everybody; codes and reasons are on the management listener.

Readiness is sticky: once every fact has held, a part that goes away later degrades the service and is told,
but never takes every replica out at once. Only draining, or what the other replicas would not share,
turns it red again.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from flask import Response

from idp import clock, lanes
from idp.control import running
from idp.control.running import Fact
from idp.logs import log
from idp.web.gates import Door, Gate

_log = log(__name__)
AGAIN = 0.25
"""Seconds between two looks while not ready, however many ask."""
SELDOM = 5.0
"""Seconds between two looks at whether the schema has outgrown this code."""


class Flag(Protocol):
    """Something that another process may set."""

    def is_set(self) -> bool:
        """Whether it is set."""
        ...


class Readiness:
    """Whether this process takes traffic."""

    def __init__(
        self,
        look: Callable[[], list[Fact]] = running.facts,
        fatal: Callable[[], list[Fact]] = running.lost,
        aged: Callable[[], Fact] = running.outgrown,
    ) -> None:
        """`look`: the facts of the start; `fatal`: what turns a ready process red; `aged`: the same, seldom asked."""
        self._look = look
        self._fatal = fatal
        self._aged = aged
        self._outgrown: list[Fact] = []
        self._lock = threading.Lock()
        self._known: list[Fact] = []
        self._at = float("-inf")
        self._reached = False
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
                self.facts()
            pause.wait(SELDOM if self._reached else AGAIN)

    def _look_seldom(self) -> None:
        try:
            fact = self._aged()
        except Exception as error:  # nothing is known, so nothing changes: Postgres may be away
            _log.debug("readiness.unknown", cause=type(error).__name__)
            return
        self._outgrown = [] if fact.ok else [fact]

    def ready(self) -> bool:
        """Whether to answer 200."""
        if self.draining.is_set():
            return False
        return all(fact.ok for fact in self.facts()) if not self._reached else not self.lost()

    def facts(self) -> list[Fact]:
        """The facts as they were seen last, at most a quarter of a second ago."""
        with lanes.holding(self._lock):
            if clock.monotonic() - self._at > AGAIN:
                self._known = self._safely()
                self._at = clock.monotonic()
                self._reached = self._reached or all(fact.ok for fact in self._known)
            return self._known

    def _safely(self) -> list[Fact]:
        try:
            return self._look()
        except Exception as error:  # a probe is answered, whatever is broken behind it
            _log.warning("readiness.unknown", exc_info=error)
            return [Fact("unknown", False, f"Looking failed with {type(error).__name__}.")]

    def lost(self) -> list[Fact]:
        """What turns a process red that was ready."""
        return [*(fact for fact in self._fatal() if not fact.ok), *self._outgrown]


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
