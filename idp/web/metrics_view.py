"""The numbers of all worker processes together, in Prometheus' text format.

The processes write into files of one folder; what a process that has ended said of the moment (its live
gauges) is removed, what it counted stays.
"""

import os
import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LIVE = re.compile(r"gauge_live\w*?_(\d+)\.db")


def exposition(folder: Path) -> bytes:
    """Everything counted by the processes that write into `folder`."""
    for pid in {int(found[1]) for found in map(_LIVE.fullmatch, os.listdir(folder)) if found}:
        if not _alive(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
