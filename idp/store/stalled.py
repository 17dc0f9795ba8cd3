"""Connections whose waits are bounded and known of: a Postgres that is frozen, or a path that swallows packets (F33).

Postgres ends its own statements after two seconds, and keepalives find a dead machine; neither helps against
one whose kernel still says yes. What has waited for longer than any statement may is given up by shutting the
socket down: whoever waits for it is told Unavailable, the pool drops the connection, and the breaker opens, so
that nobody else waits as long. Whoever waits for Postgres leaves his lane meanwhile.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2 import extensions
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from idp import lanes, metrics
from idp.logs import log
from idp.store.breaker import Breaker
from idp.store.context import elapsed

LONGEST = 2.5
"""Seconds that a wait may last: a little more than Postgres itself allows a statement."""

LOOK_EVERY = 0.25
"""Seconds between two looks at who waits."""

ATTEMPT = 3.0
"""Seconds that one attempt to reach Postgres again takes at most."""

TELL_EVERY = 10.0
"""Seconds between two lines of the log about connections that were refused."""

_breaker = Breaker("database_open", failures=1, longest=ATTEMPT)
_waiting: "dict[Line, float]" = {}


def breaker() -> Breaker:
    """The breaker of this process's Postgres: open from the first connection that is refused or says nothing."""
    return _breaker


class Line(extensions.connection):  # type: ignore[misc]
    """A connection to Postgres."""

    descriptor = -1

    def __init__(self, *given: Any) -> None:
        """Connects."""
        try:
            with lanes.left():
                super().__init__(*given)
        except psycopg2.OperationalError as error:
            # With this word a server has answered, be it only to say no.
            if "FATAL:" in str(error):
                _refused(str(error))
            else:
                _breaker.failed()
            raise
        self.descriptor = self.fileno()
        self.cursor_factory = Turn

    def commit(self) -> None:
        """COMMIT."""
        _waited(self, super().commit)

    def rollback(self) -> None:
        """ROLLBACK."""
        _waited(self, super().rollback)


class _Told:
    at = float("-inf")


def _refused(words: str) -> None:
    """Say why Postgres lets nobody in, at most each TELL_EVERY seconds: a password that was changed, too many."""
    metrics.count("database_errors_total", reason="refused")
    if elapsed() - _Told.at > TELL_EVERY:
        _Told.at = elapsed()
        log(__name__).error("database.refused", words=words.strip()[:300])


class Turn(extensions.cursor):  # type: ignore[misc]
    """A cursor of such a connection."""

    connection: Line

    def execute(self, *given: Any) -> None:
        """Run one statement."""
        _waited(self.connection, super().execute, *given)

    def executemany(self, *given: Any) -> None:
        """Run one statement for many rows."""
        _waited(self.connection, super().executemany, *given)


def _waited(line: Line, call: Callable[..., None], *given: Any) -> None:
    with lanes.left():
        _waiting[line] = elapsed()
        try:
            call(*given)
            _breaker.succeeded()
        except psycopg2.Error as error:
            if error.pgcode is not None:
                _breaker.succeeded()
            raise
        finally:
            _waiting.pop(line, None)


class Pool(QueuePool):
    """A pool in front of which nobody waits in a lane, else those who hold its connections could not go on."""

    def connect(self) -> PoolProxiedConnection:
        """A connection, once one is free."""
        with lanes.left():
            return super().connect()


class Watch:
    """Looks at who waits, from a thread of its own."""

    def __init__(self) -> None:
        """Begins to look; the breaker is closed."""
        global _breaker
        _breaker = Breaker("database_open", failures=1, longest=ATTEMPT)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stalled", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join(2)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            now = elapsed()
            for line, begun in list(_waiting.items()):
                if now - begun > LONGEST and _waiting.get(line) == begun:
                    _waiting.pop(line, None)
                    _shut(line.descriptor)


def _shut(descriptor: int) -> None:
    """End a connection from outside: its owner reads the end of the stream and closes the descriptor itself."""
    _breaker.failed()
    metrics.count("database_errors_total", reason="stalled")
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as ours:
        ours.shutdown(socket.SHUT_RDWR)
