"""Counters and durations for Prometheus: one registry, names declared here, no tenant or client labels.

Labels stay few and bounded; a label for each tenant would grow with the customers.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

_COUNTERS = {
    name: Counter(f"idp_{name}", doc, labels)
    for name, doc, labels in [
        ("requests_total", "Requests answered.", ["endpoint", "status"]),
        ("refusals_total", "Refusals by code.", ["code"]),
        ("tokens_total", "Access tokens issued.", ["grant_type"]),
        ("sign_ins_total", "Sign-in attempts by outcome.", ["outcome"]),
        ("context_errors_total", "Tenant contexts that Postgres refused.", ["reason"]),
        ("redis_errors_total", "Calls to Redis that failed.", ["reason"]),
        ("database_errors_total", "Transactions that failed.", ["reason"]),
        ("transactions_repeated_total", "Transactions run anew because Postgres gave them up.", []),
        ("throttled_total", "Requests that a throttle or budget refused.", ["kind"]),
        ("journal_dropped_total", "Journal lines dropped because the queue was full.", ["kind"]),
        ("jobs_total", "Runs of a worker's job by outcome.", ["job", "outcome"]),
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


def count(name: str, amount: float = 1, **labels: str) -> None:
    """Add `amount` to the counter `name`."""
    _child(_COUNTERS, name, labels).inc(amount)


def observe(name: str, seconds: float, **labels: str) -> None:
    """Record a duration of `seconds` under `name`."""
    _child(_DURATIONS, name, labels).observe(seconds)


_children: dict[tuple[str, ...], Any] = {}
"""The series by name and label values: finding one through the library costs more than counting."""


def _child(among: Mapping[str, Any], name: str, labels: dict[str, str]) -> Any:
    key = (name, *labels, *labels.values())
    child = _children.get(key)
    if child is None:
        child = _children[key] = among[name].labels(**labels) if labels else among[name]
    return child


def show(name: str, value: float) -> None:
    """Set the gauge `name` to `value`."""
    _GAUGES[name].set(value)
