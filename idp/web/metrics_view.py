"""The numbers of all worker processes together, in Prometheus' text format.

The processes write into files of one folder; what a process that has ended said of the moment (its live
gauges) is removed, what it counted stays.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LIVE = re.compile(r"gauge_live\w*?_(\d+)\.db")


_MORE = {
    "proof_age_seconds": "Seconds since isolation was last proved.",
    "proof_holds": "1 where every promise held in the last proof of isolation.",
}
"""What the listener itself knows, beside what the processes count."""


def exposition(folder: Path, more: Mapping[str, float] | None = None) -> bytes:
    """Everything counted by the processes that write into `folder`, and `more` by its names."""
    for pid in {int(found[1]) for found in map(_LIVE.fullmatch, os.listdir(folder)) if found}:
        if not _alive(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    registry.register(_More(more or {}))
    return generate_latest(registry)


class _More(Collector):
    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = values

    def collect(self) -> Iterator[Metric]:
        for name, value in self._values.items():
            yield GaugeMetricFamily(f"idp_{name}", _MORE[name], value=value)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
