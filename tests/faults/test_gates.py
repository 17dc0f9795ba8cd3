"""The light gates where servers are frozen or stopped: bounded, never raising, and naming what is broken."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from idp.config import Settings
from idp.control.readiness import run
from idp.control.readiness.check import Result, State, Stops
from idp.control.readiness.world import World
from idp.store import redis as live
from idp.store import stalled

LONGEST = 30.0
"""Seconds after which a look would be as bad as none, on a machine busy with other things."""
STOPS = {"redis": "IDP-INF-010", "postgres": "IDP-INF-001"}


@contextmanager
def frozen_server(child: Any) -> Iterator[None]:
    """A server and all its processes, which take connections and never answer."""
    family = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
    for each in family:
        os.kill(each.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in family:
            os.kill(each.pid, signal.SIGCONT)


@pytest.fixture(autouse=True)
def closed_breakers(vault: Settings, acme: Any) -> Iterator[None]:
    """As in a process that has just started; each test leaves them so."""
    yield
    live._store.breaker = live.Breaker()
    eventually(lambda: not stalled.breaker().open or looked(vault)["IDP-INF-001"].ok)


def eventually(condition: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end, "not recovered in time"
        time.sleep(0.1)


def looked(settings: Settings) -> dict[str, Result]:
    """Every light check, by code."""
    return {each.check.code: each for each in run.look(run.light(), World(settings))}


@pytest.mark.parametrize("name", STOPS)
def test_a_frozen_server_is_named_in_bounded_time(vault: Settings, services: Any, name: str) -> None:
    began = time.monotonic()
    with frozen_server(getattr(services, name).child):
        found = looked(vault)
        assert time.monotonic() - began < LONGEST
        assert found[STOPS[name]].state is State.RED and found[STOPS[name]].check.fix
    others = {each.state for code, each in found.items() if code != STOPS[name]}
    assert State.UNKNOWN in others
    eventually(lambda: looked(vault)[STOPS[name]].state is State.GREEN)


@pytest.mark.parametrize("name", STOPS)
def test_traffic_waits_for_it_and_what_lasts_does_not_turn_red(
    vault: Settings, services: Any, name: str
) -> None:
    with frozen_server(getattr(services, name).child):
        arrived = {each.check.code: each.ok for each in run.arrived(vault)}
        assert arrived[STOPS[name]] is False
        assert not [each for each in run.lost(vault) if each.state is State.RED]
    assert STOPS[name] in {check.code for check in run.of(Stops.TRAFFIC)}
