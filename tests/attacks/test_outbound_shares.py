"""Slow addresses of strangers' applications hold up themselves, never what somebody vouches for."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from idp import clock, fetching, outbound, places
from idp.errors import Busy, TooMany
from idp.fetching import Memory, Rules, Wanted
from idp.places import Places
from idp.tenants import Tenant, entered
from tests.attacks.acting import at_once
from tests.receiving import Serving, document_server

RULES = Rules("thing", ("application/json",), 100, least=60, usual=300, most=900, storm=60, stale=86_400)


@pytest.fixture
def server() -> Iterator[Serving]:
    with document_server() as said:
        said.body = b"1"
        yield said


@pytest.fixture
def memory() -> Iterator[Memory[str]]:
    made: Memory[str] = Memory(RULES)
    yield made
    made.forget()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    moved, real = [0.0], clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: real() + moved[0])

    def move(seconds: float) -> None:
        moved[0] += seconds

    return move


def wanted(server: Serving, key: str = "one", **changes: Any) -> Wanted[str]:
    return Wanted(key, changes.pop("uri", server.uri), bytes.decode, **{"vouched": True, **changes})


def test_ss05_strangers_leave_places_to_whom_somebody_vouches_for(acme: Tenant, globex: Tenant) -> None:
    shared = Places(at_once=4, of_one=2, strangers=2)
    with entered(acme):
        first = shared.take("a", vouched=False)
        assert first and shared.take("b", vouched=False) is None, "one of a tenant's strangers at a time"
        assert shared.take("c", vouched=True) and shared.take("d", vouched=True)
        assert shared.take("e", vouched=True) is None, "two of one tenant"
    with entered(globex):
        assert shared.take("a", vouched=True), "the other tenant has its own"
        assert shared.take("b", vouched=False) is None, "four in all"
    with entered(acme):
        shared.give_back(first)
    with entered(globex):
        assert shared.take("b", vouched=False)


def test_ss05_one_thing_is_asked_for_once_and_of_one_asker_one(acme: Tenant, globex: Tenant) -> None:
    shared = Places(at_once=8, of_one=4, strangers=4)
    mark = places.asker.set("2001:db8::1")
    try:
        with entered(acme):
            assert shared.take("a", vouched=True) and shared.take("a", vouched=True) is None
            assert shared.take("b", vouched=False)
        with entered(globex):
            places.asker.set("2001:db8::2")
            assert shared.take("b", vouched=False) is None, "the same network"
            places.asker.set("2001:db8:1::2")
            assert shared.take("b", vouched=False)
    finally:
        places.asker.reset(mark)


def test_ss05_whoever_has_slow_addresses_asked_has_so_many_seconds_of_it(
    in_acme: Tenant, server: Serving, memory: Memory[str], later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new name is a new address; the seconds are those of whoever asks."""

    def slow(*_: Any, **__: Any) -> Any:
        later(5)
        raise outbound.NotSent("no answer in time")

    mark = places.asker.set("198.51.100.7")
    try:
        with monkeypatch.context() as patched:
            patched.setattr(outbound, "get", slow)
            for number in range(2):
                assert memory.get(wanted(server, f"slow{number}", vouched=False)).value is None
            with pytest.raises(TooMany):
                memory.get(wanted(server, "slow2", vouched=False))
        assert memory.get(wanted(server, "good")).value == "1", "an operator's application goes on"
        places.asker.set("198.51.100.8")
        assert memory.get(wanted(server, "stranger", vouched=False)).value == "1", "and so do others"
    finally:
        places.asker.reset(mark)


def test_ss05_names_that_nobody_answers_for_use_up_the_share_of_who_gave_them(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that hangs in the resolver keeps its place: strangers can hang one of a tenant's, no more."""
    monkeypatch.setattr(outbound, "SECONDS", 0.3)
    monkeypatch.setattr(outbound, "LOOKING", Places(at_once=4, of_one=2, strangers=2))
    hung, asked = threading.Event(), []

    def answer(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        if host == "localhost":
            return [(0, 1, 6, "", ("127.0.0.1", 1))]
        hung.wait(30)
        return []

    monkeypatch.setattr(outbound.socket, "getaddrinfo", answer)
    try:
        for number in range(4):
            with pytest.raises(outbound.NotSent):
                outbound.get(f"https://slow{number}.example/", ("text/plain",), 9, vouched=False)
        assert asked == ["slow0.example"]
        with pytest.raises(outbound.NotSent, match="no connection"):
            outbound.get("http://localhost:1/", ("text/plain",), 9)
    finally:
        hung.set()


def test_one_look_for_all_who_want_it_at_once(acme: Tenant, server: Serving, memory: Memory[str]) -> None:
    server.wait = 0.3

    def one(_: int) -> str | None:
        with entered(acme):
            return memory.get(wanted(server)).value

    assert at_once(8, one) == ["1"] * 8 and server.asked == 1


def test_many_who_wait_are_too_many(
    acme: Tenant, server: Serving, memory: Memory[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "WAITING", 2)
    server.wait = 0.5

    def one(_: int) -> str | None:
        with entered(acme):
            try:
                return memory.get(wanted(server)).value
            except Busy:
                return "busy"

    found = at_once(8, one)
    assert found.count("1") == 3 and found.count("busy") == 5 and server.asked == 1


def test_do04_what_it_lacks_is_looked_for_once_a_minute(
    in_acme: Tenant, server: Serving, memory: Memory[str], later: Any
) -> None:
    lacking = wanted(server, lacks=lambda value: value != "2")
    for _ in range(3):
        assert memory.get(lacking).value == "1"
    assert server.asked == 1
    server.body = b"2"
    later(fetching.STORM + 1)
    assert memory.get(lacking).value == "2" and server.asked == 2


@pytest.mark.parametrize("wrong_ends", [True, False])
def test_what_went_wrong_is_remembered_and_what_was_there_goes_on(
    in_acme: Tenant, server: Serving, later: Any, wrong_ends: bool
) -> None:
    def number(body: bytes) -> str:
        return str(int(body))

    memory: Memory[str] = Memory(
        Rules("thing", RULES.kinds, 100, least=60, usual=300, most=900, stale=1_000, wrong_ends=wrong_ends)
    )
    wish = Wanted("one", server.uri, number, vouched=True)
    assert memory.get(wish).value == "1"
    server.status = 500
    later(301)
    for _ in range(3):
        found = memory.get(wish)
        assert found.value == "1" and "500" in found.why
    assert server.asked == 2
    server.status, server.body = 200, b"x"
    later(61)
    assert memory.get(wish).value == (None if wrong_ends else "1") and server.asked == 3
    later(1_000)
    assert memory.get(wish).value is None
    asked = server.asked
    assert memory.get(wish).value is None and server.asked == asked, "not at once again"
    server.body = b"7"
    later(fetching.AGAIN + 1)
    assert memory.get(wish).value == "7"


def test_a_tenant_knows_nothing_of_another_and_another_address_is_another_thing(
    acme: Tenant, globex: Tenant, server: Serving, memory: Memory[str]
) -> None:
    with entered(acme):
        memory.get(wanted(server))
    with entered(globex):
        assert memory.known("one") is None and memory.due("one")
    with entered(acme):
        assert not memory.due("one")
        server.body = b"2"
        assert memory.get(wanted(server, uri=f"{server.uri}/2")).value == "2"


def test_in_a_transaction_nobody_is_waited_for(
    in_acme: Tenant, server: Serving, memory: Memory[str], later: Any
) -> None:
    from idp.store.database import transaction

    with transaction():
        assert memory.get(wanted(server)).value is None
        assert memory.get(wanted(server, known="0")).value == "0" and server.asked == 0
        assert memory.get(wanted(server, always=True)).value == "1"
        later(1_000)
        assert memory.get(wanted(server, always=True)).value == "1" and server.asked == 1


def test_what_was_read_is_told_once_and_a_known_value_serves_where_there_is_no_place(
    in_acme: Tenant, server: Serving, memory: Memory[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for _ in range(2):
        memory.get(wanted(server, took=told.append))
    assert told == ["1"]
    monkeypatch.setattr(fetching.PLACES, "of_one", 0)
    assert memory.get(wanted(server, "two", known="0")).value == "0"
    with pytest.raises(Busy):
        memory.get(wanted(server, "two"))
