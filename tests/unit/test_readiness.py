"""Readiness is reached by itself, once; what turns it red later is what other replicas would not share."""

import time

from idp.control.running import Fact
from idp.web import health
from idp.web.health import Readiness


def until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_that_nobody_asked_is_ready_when_a_server_freezes_later():
    world = {"redis": True}
    readiness = Readiness(lambda: [Fact("redis", world["redis"])], list, lambda: Fact("schema", True))
    readiness.watch()
    until(lambda: readiness._reached)
    world["redis"] = False
    assert readiness.ready()


def test_a_schema_that_outgrew_the_code_turns_it_red_and_an_outage_does_not(monkeypatch):
    monkeypatch.setattr(health, "SELDOM", 0.01)
    world = {"ok": True, "away": False, "asked": 0}

    def aged():
        world["asked"] += 1
        if world["away"]:
            raise ConnectionError
        return Fact("schema", world["ok"], "outgrown")

    readiness = Readiness(list, list, aged)
    readiness.watch()
    until(lambda: world["asked"] > 1)
    assert readiness.ready()
    world["away"] = True
    before = world["asked"]
    until(lambda: world["asked"] > before + 1)
    assert readiness.ready()
    world.update(away=False, ok=False)
    until(lambda: not readiness.ready())
    assert [fact.words for fact in readiness.lost()] == ["outgrown"]
    world["away"] = True
    before = world["asked"]
    until(lambda: world["asked"] > before + 1)
    assert not readiness.ready()
    world.update(away=False, ok=True)
    until(readiness.ready)
