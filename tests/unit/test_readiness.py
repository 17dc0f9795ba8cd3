"""Readiness is reached by itself, once; what turns it red later is what other replicas would not share."""

import time

from idp.control.readiness.check import Check, Gate, Result, State
from idp.web import health
from idp.web.health import Readiness

CHECK = Check("IDP-XXX-001", "It holds", "It matters.", "Mend it.", lambda world: world, Gate.INFRASTRUCTURE)


def result(state):
    return Result(CHECK, state, "outgrown", 0.0)


def until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_that_nobody_asked_is_ready_when_a_server_freezes_later():
    world = {"redis": State.GREEN}
    readiness = Readiness(lambda: [result(world["redis"])], list)
    readiness.watch()
    until(lambda: readiness._reached)
    world["redis"] = State.RED
    assert readiness.ready()


def test_a_process_is_not_ready_before_everything_was_seen():
    world = {"postgres": State.UNKNOWN}
    readiness = Readiness(lambda: [result(world["postgres"])], list)
    assert not readiness.ready()
    world["postgres"] = State.GREEN
    until(readiness.ready)


def test_a_schema_that_outgrew_the_code_turns_it_red_and_an_outage_does_not(monkeypatch):
    monkeypatch.setattr(health, "SELDOM", 0.01)
    world = {"state": State.GREEN, "asked": 0}

    def lost():
        world["asked"] += 1
        return [result(world["state"])]

    def look_again():
        before = world["asked"]
        until(lambda: world["asked"] > before + 1)

    readiness = Readiness(list, lost)
    readiness.watch()
    look_again()
    assert readiness.ready()
    world["state"] = State.UNKNOWN
    look_again()
    assert readiness.ready()
    world["state"] = State.RED
    until(lambda: not readiness.ready())
    assert [each.words for each in readiness.gone()] == ["outgrown"]
    world["state"] = State.UNKNOWN
    look_again()
    assert not readiness.ready()
    world["state"] = State.GREEN
    until(readiness.ready)
