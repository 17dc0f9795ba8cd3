"""One line of JSON and the metrics of each request, by a thread of its own so that no request waits for a log.

The lines hold the route's name, never the address as it came: codes and tokens travel there.
"""

import atexit
import datetime as dt
import json
import logging
import sys
import threading
from collections import Counter, deque
from typing import Any

from idp import clock, metrics

_PENDING = 20_000
_EVERY = 0.1
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

Line = tuple[dt.datetime, str, str, str, str, int, float]
_lines: deque[Line] = deque()
_writer: threading.Thread | None = None
_start = threading.Lock()
_flushing = threading.Lock()


def note(request_id: str, environ: dict[str, Any], status: int, seconds: float) -> None:
    """Take note of one answer; dropped and counted when 20,000 wait already."""
    if len(_lines) >= _PENDING:
        metrics.count("journal_dropped_total", kind="access")
        return
    _lines.append(
        (
            clock.now(),
            request_id,
            environ.get("idp.tenant", ""),
            environ["REQUEST_METHOD"],
            environ.get("idp.endpoint", "none"),
            status,
            seconds,
        )
    )
    if _writer is None:
        _begin()


def _begin() -> None:
    global _writer
    with _start:
        if _writer is None:
            metrics.gather()
            _writer = threading.Thread(target=_run, name="access-log", daemon=True)
            _writer.start()
            atexit.register(flush)


def _run() -> None:
    pause = threading.Event()
    while True:
        pause.wait(_EVERY)
        flush()


def flush() -> None:
    """Count and write everything that waits."""
    with _flushing:
        shown = logging.getLogger().isEnabledFor(logging.INFO)
        written: list[str] = []
        counts: Counter[tuple[str, int]] = Counter()
        while _lines:
            line = _lines.popleft()
            _, _, _, _, endpoint, status, seconds = line
            counts[endpoint, status] += 1
            metrics.observe("request", seconds, endpoint=endpoint)
            if shown:
                written.append(_text(line))
        for (endpoint, status), count in counts.items():
            metrics.count("requests_total", count, endpoint=endpoint, status=str(status))
        metrics.flush()
        if written:
            try:
                sys.stderr.write("".join(written))
                sys.stderr.flush()
            except (OSError, ValueError):
                metrics.count("journal_dropped_total", len(written), kind="access")


def _text(line: Line) -> str:
    at, request_id, tenant, method, endpoint, status, seconds = line
    verb = method if method in _METHODS else "?"
    return (
        f'{{"event":"request","level":"info","timestamp":"{at.isoformat()}","request_id":"{request_id}",'
        f'"tenant":{json.dumps(tenant or None)},"method":"{verb}","endpoint":"{endpoint}","status":{status},'
        f'"ms":{seconds * 1000:.1f}}}\n'
    )
