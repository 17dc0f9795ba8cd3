"""Counting: at once where nobody flushes, taken note of and summed where somebody does."""

import os
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from idp import config, metrics
from idp.web import access


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(
        access, "flush", lambda: None
    )  # its thread, begun by another test, would count in between
    monkeypatch.setattr(metrics, "_waiting", None)
    metrics.gather()
    yield
    metrics.flush()


def _refusals(code: str) -> float:
    return REGISTRY.get_sample_value("idp_refusals_total", {"code": code}) or 0.0


def test_without_a_flusher_each_count_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_waiting", None)
    before = _refusals("at_once")
    metrics.count("refusals_total", code="at_once")
    assert _refusals("at_once") == before + 1


def test_what_was_taken_note_of_is_summed_by_series(gathered: None) -> None:
    before = _refusals("one"), _refusals("two")
    for _ in range(5):
        metrics.count("refusals_total", code="one")
    metrics.count("refusals_total", 3, code="two")
    assert (_refusals("one"), _refusals("two")) == before
    metrics.flush()
    assert (_refusals("one"), _refusals("two")) == (before[0] + 5, before[1] + 3)
    metrics.flush()
    assert _refusals("one") == before[0] + 5


def test_notes_are_bounded(gathered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_MOST_WAITING", 2)
    before = _refusals("flood")
    for _ in range(10):
        metrics.count("refusals_total", code="flood")
    assert _refusals("flood") == before + 7
    metrics.flush()
    assert _refusals("flood") == before + 10


def test_a_web_process_keeps_of_its_environment_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {
        "PATH": "/bin",
        "TZ": "UTC",
        "LC_ALL": "C",
        "SSL_CERT_FILE": "/ca",
        "PROMETHEUS_MULTIPROC_DIR": "/m",
    }
    monkeypatch.setattr(
        os, "environ", {**kept, "IDP_DATABASE_URL": "secret", "AWS_SECRET": "x", "EDITOR": "vi"}
    )
    config.bare()
    assert os.environ == kept
