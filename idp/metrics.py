"""Counters and durations for Prometheus: one registry, names declared here, no tenant or client labels.

Labels stay few and bounded; a label for each tenant would grow with the customers.
"""

import threading
from collections import deque
from functools import cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

_COUNTERS = {
    name: Counter(f"idp_{name}", doc, labels)
    for name, doc, labels in [
        ("requests_total", "Requests answered.", ["endpoint", "status"]),
        ("refusals_total", "Refusals by code.", ["code"]),
        ("tokens_total", "Access tokens issued.", ["grant_type"]),
        ("sign_ins_total", "Sign-in attempts by outcome.", ["outcome"]),
        ("second_factors_total", "Second factors judged, by way and outcome.", ["way", "outcome"]),
        ("context_errors_total", "Tenant contexts that Postgres refused.", ["reason"]),
        ("redis_errors_total", "Calls to Redis that failed.", ["reason"]),
        ("database_errors_total", "Transactions that failed.", ["reason"]),
        ("transactions_repeated_total", "Transactions run anew because Postgres gave them up.", []),
        ("throttled_total", "Requests that a throttle or budget refused.", ["kind"]),
        ("journal_dropped_total", "Journal lines dropped because the queue was full.", ["kind"]),
        ("log_lines_dropped_total", "Lines of the log dropped because nobody read it.", []),
        ("jobs_total", "Runs of a worker's job by outcome.", ["job", "outcome"]),
        ("deliveries_total", "Tries to deliver messages of the outbox by outcome.", ["topic", "outcome"]),
    ]
}
_DURATIONS = {
    name: Histogram(f"idp_{name}_seconds", doc, labels)
    for name, doc, labels in [
        ("request", "Duration of a request.", ["endpoint"]),
        ("password_hash", "Duration of one Argon2id verification.", []),
        ("job", "Duration of one run of a worker's job.", ["job"]),
    ]
}
_GAUGES = {
    name: Gauge(f"idp_{name}", doc, multiprocess_mode="livemax")
    for name, doc in [
        ("directory_age_seconds", "Seconds since the directory last heard of changes."),
        ("clock_offset_seconds", "Clock of Postgres minus clock of this process."),
        ("database_open", "1 while the breaker keeps Postgres closed off."),
        ("redis_open", "1 while the breaker keeps Redis closed off."),
    ]
}


Series = tuple[str, tuple[tuple[str, str], ...]]
"""One series: a name, and its labels with their values."""

_waiting: deque[tuple[Series, float]] | None = None
_MOST_WAITING = 50_000
_flushing = threading.Lock()


def gather() -> None:
    """From now on counting only takes note; whoever said so calls `flush` several times a second."""
    global _waiting
    _waiting = deque()


def flush() -> None:
    """Count what was taken note of."""
    waiting = _waiting
    if not waiting:
        return
    with _flushing:
        sums: dict[Series, float] = {}
        for _ in range(len(waiting)):
            series, amount = waiting.popleft()
            sums[series] = sums.get(series, 0) + amount
        for (name, labels), amount in sums.items():
            _counter(name, labels).inc(amount)


def count(name: str, amount: float = 1, **labels: str) -> None:
    """Add `amount` to the counter `name`."""
    if _waiting is None or len(_waiting) > _MOST_WAITING:
        _counter(name, tuple(labels.items())).inc(amount)
    else:
        _waiting.append(((name, tuple(labels.items())), amount))


@cache
def _counter(name: str, labels: tuple[tuple[str, str], ...]) -> Any:
    """A counter's series, found once: the library takes longer to find one than to count."""
    return _COUNTERS[name].labels(**dict(labels)) if labels else _COUNTERS[name]


@cache
def _duration(name: str, labels: tuple[tuple[str, str], ...]) -> Any:
    return _DURATIONS[name].labels(**dict(labels)) if labels else _DURATIONS[name]


def observe(name: str, seconds: float, **labels: str) -> None:
    """Record a duration of `seconds` under `name`."""
    _duration(name, tuple(labels.items())).observe(seconds)


def show(name: str, value: float) -> None:
    """Set the gauge `name` to `value`."""
    _GAUGES[name].set(value)
