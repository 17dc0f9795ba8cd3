"""One line of JSON for each request, written by a thread of its own so that no request waits for a log.

The lines hold the route's pattern, never the address as it came: codes and tokens travel there.
"""

import atexit
import json
import logging
import sys
import threading
from collections import deque

from idp import clock, metrics

_PENDING = 20_000
_EVERY = 0.1

_lines: deque[str] = deque()
_writer: threading.Thread | None = None
_start = threading.Lock()


def note(request_id: str, tenant: str, method: str, endpoint: str, status: int, seconds: float) -> None:
    """Queue the line of one request; dropped and counted when 20,000 wait already."""
    metrics.count("requests_total", endpoint=endpoint, status=str(status))
    metrics.observe("request", seconds, endpoint=endpoint)
    if not logging.getLogger().isEnabledFor(logging.INFO):
        return
    if len(_lines) >= _PENDING:
        metrics.count("journal_dropped_total", kind="access")
        return
    verb = method if method.isalpha() and len(method) < 10 else "?"
    _lines.append(
        f'{{"event":"request","level":"info","timestamp":"{clock.now().isoformat()}","request_id":"{request_id}",'
        f'"tenant":{json.dumps(tenant or None)},"method":"{verb}","endpoint":"{endpoint}","status":{status},'
        f'"ms":{seconds * 1000:.1f}}}\n'
    )
    if _writer is None:
        _begin()


def _begin() -> None:
    global _writer
    with _start:
        if _writer is None:
            _writer = threading.Thread(target=_run, name="access-log", daemon=True)
            _writer.start()
            atexit.register(flush)


def _run() -> None:
    pause = threading.Event()
    while True:
        pause.wait(_EVERY)
        flush()


def flush() -> None:
    """Write every line that waits."""
    taken = []
    while _lines:
        try:
            taken.append(_lines.popleft())
        except IndexError:
            break
    if taken:
        try:
            sys.stderr.write("".join(taken))
            sys.stderr.flush()
        except (OSError, ValueError):
            metrics.count("journal_dropped_total", len(taken), kind="access")
