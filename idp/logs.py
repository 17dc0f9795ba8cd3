"""One line of JSON for each event, with the request and tenant it belongs to, and never a secret.

Authlib writes whole tokens at DEBUG; its logger is pinned at INFO whatever level is asked for.
"""

import logging
import queue
import re
import sys
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import structlog

from idp import metrics

_SECRET_NAMES = re.compile(
    r"(pass(word|wd)|secret|token|assertion|cookie|authorization|code_verifier|dsn|_url$)", re.I
)
_SECRET_VALUES = re.compile(
    r"(eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\$argon2\w*\$[^\s\"]+|postgres(?:ql)?(?:\+\w+)?://[^\s\"]+|rediss?://[^\s\"]+)"
)
HIDDEN = "[hidden]"

request: ContextVar[str | None] = ContextVar("idp_request_id", default=None)
"""The id of the request that this thread answers, set at the doorstep; None outside of requests."""


def of_request(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add the request's id to a line that does not name one itself."""
    name = request.get()
    if name is not None:
        event.setdefault("request_id", name)
    return event


def _redact(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    for name, value in event.items():
        if name != "event" and _SECRET_NAMES.search(name):
            event[name] = HIDDEN
        elif isinstance(value, str):
            event[name] = _SECRET_VALUES.sub(HIDDEN, value)
    return event


LINES = 10_000
"""Lines that wait at most for a reader; more are dropped and counted."""
LAST_WORDS = 1.0
"""Seconds that the end of a process waits for its last lines to be read."""
_LOOKS = 200


class Unhurried(logging.StreamHandler[Any]):
    """Writes in a thread of its own: a pipe that nobody reads must hold up no request (F25)."""

    def __init__(self, stream: Any) -> None:
        """`stream`: where lines go; the thread begins with the first of them."""
        super().__init__(stream)
        self._waiting: queue.Queue[str] = queue.Queue(LINES)
        self._writer: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Leave a line to the writer, or drop it. Called under the handler's lock."""
        try:
            self._waiting.put_nowait(self.format(record) + self.terminator)
        except queue.Full:
            metrics.count("log_lines_dropped_total")
        except Exception:
            self.handleError(record)
        if self._writer is None or not self._writer.is_alive():
            self._writer = threading.Thread(target=self._write, name="log", daemon=True)
            self._writer.start()

    def flush(self) -> None:
        """Wait a moment until everything is written; the end of the process calls this."""
        for _ in range(_LOOKS):
            if not self._waiting.unfinished_tasks:
                return
            time.sleep(LAST_WORDS / _LOOKS)

    def _write(self) -> None:
        while True:
            line = self._waiting.get()
            with suppress(OSError, ValueError):  # nobody is left to read, or to be told
                self.stream.write(line)
                self.stream.flush()
            self._waiting.task_done()


def setup(level: str = "INFO") -> None:
    """Send every logger's lines, as JSON, to standard error at `level`."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        of_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = Unhurried(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    quiet()


_PINNED = {
    "authlib": logging.INFO,
    # Its INFO is every statement with its parameters, such as the keys that sign tenant contexts.
    "sqlalchemy": logging.WARNING,
    # A pool of our own kind speaks under its own class's name, and not as sqlalchemy's.
    "idp.store.stalled.Pool": logging.WARNING,
    "alembic": logging.WARNING,
    "urllib3": logging.INFO,
    "redis": logging.INFO,
}


def quiet() -> None:
    """Pin the loggers that would print tokens, statements or addresses, whatever level is asked for."""
    for name, level in _PINNED.items():
        logging.getLogger(name).setLevel(level)
    for name in ("sqlalchemy.engine", "sqlalchemy.pool"):
        logging.getLogger(name).setLevel(logging.WARNING)


def log(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
