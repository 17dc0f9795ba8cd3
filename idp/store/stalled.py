"""Statements that no server will ever answer: a Postgres that is frozen, or a path that swallows packets (F33).

Postgres ends its own statements after two seconds, and keepalives find a dead machine; neither helps against
one whose kernel still says yes. A statement that has been under way for longer than any may is given up by
shutting its socket down: whoever waits for it is told Unavailable, and the pool drops the connection.
"""

import contextlib
import os
import socket
import threading
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from idp import metrics
from idp.store.context import elapsed

LONGEST = 5.0
"""Seconds that a statement may be under way: more than twice what Postgres itself allows."""

LOOK_EVERY = 0.5
"""Seconds between two looks at what is under way."""


class Watch:
    """Looks after the statements of one engine from a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        """Begins to watch `engine`."""
        self._under_way: dict[int, float] = {}
        self._stopping = threading.Event()
        event.listen(engine, "before_cursor_execute", self._begun)
        event.listen(engine, "after_cursor_execute", self._answered)
        event.listen(engine, "handle_error", self._failed)
        self._thread = threading.Thread(target=self._run, name="stalled", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        self._thread.join(2)

    def _begun(self, _connection: Any, cursor: Any, *_rest: Any) -> None:
        self._under_way[cursor.connection.fileno()] = elapsed()

    def _answered(self, _connection: Any, cursor: Any, *_rest: Any) -> None:
        self._under_way.pop(cursor.connection.fileno(), None)

    def _failed(self, context: Any) -> None:
        # The descriptor of a connection that was lost is not known any more: what is overdue is dropped by age.
        with contextlib.suppress(Exception):
            self._under_way.pop(context.cursor.connection.fileno(), None)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            now = elapsed()
            for descriptor, begun in list(self._under_way.items()):
                if now - begun > LONGEST and self._under_way.pop(descriptor, None) == begun:
                    _shut(descriptor)


def _shut(descriptor: int) -> None:
    """End a connection from outside: its owner reads the end of the stream and closes the descriptor itself."""
    metrics.count("database_errors_total", reason="stalled")
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as ours:
        ours.shutdown(socket.SHUT_RDWR)
