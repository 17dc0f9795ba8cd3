"""The outbox: written with the change, held by one worker, tried again later, one tenant at a time."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp import clock, outbox
from idp.errors import Busy
from idp.store.database import transaction
from idp.store.durable import outbox as rows
from idp.tenants import Tenant, entered

LEASE = dt.timedelta(seconds=60)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(outbox, "_handlers", {})
    yield


def test_a_message_stands_or_falls_with_its_change(acme: Tenant) -> None:
    with entered(acme):
        with pytest.raises(RuntimeError), transaction():
            outbox.put("t", {})
            raise RuntimeError
        assert rows.waiting() == 0
        with transaction():
            outbox.put("t", {"a": 1})
        assert rows.waiting() == 1


def test_another_tenant_neither_sees_nor_takes_nor_deletes(twins: tuple[Tenant, Tenant]) -> None:
    acme, globex = twins
    with entered(acme):
        number = outbox.put("t", {})
    with entered(globex):
        assert rows.waiting() == 0
        assert rows.claim(10, clock.now(), LEASE) == ()
        assert not rows.done(number)
        assert not rows.retry(number, clock.now())
    with entered(acme):
        (message,) = rows.claim(10, clock.now(), LEASE)
        assert (message.id, message.attempts) == (number, 1)
        assert rows.done(number)
        assert not rows.done(number)


def test_f29_no_two_workers_get_the_same_message(acme: Tenant) -> None:
    with entered(acme), transaction():
        made = {outbox.put("t", {"n": n}) for n in range(60)}

    def claim(_number: int) -> list[object]:
        with entered(acme):
            return [message.id for message in rows.claim(10, clock.now(), LEASE)]

    with ThreadPoolExecutor(6) as pool:
        taken = [number for part in pool.map(claim, range(12)) for number in part]
    assert len(taken) == len(set(taken))
    assert set(taken) == made


def test_f15_a_message_whose_worker_died_comes_back_after_its_lease(acme: Tenant, frozen: Any) -> None:
    with frozen("2030-01-01") as time, entered(acme):
        outbox.put("t", {})
        assert len(rows.claim(10, clock.now(), LEASE)) == 1
        assert rows.claim(10, clock.now(), LEASE) == ()
        time.tick(61)
        (again,) = rows.claim(10, clock.now(), LEASE)
        assert again.attempts == 2


def test_delivery_tries_again_later_and_later_until_it_works(acme: Tenant, frozen: Any) -> None:
    asked: list[dict[str, Any]] = []

    def handler(payload: dict[str, Any]) -> bool:
        asked.append(payload)
        if len(asked) == 1:
            raise Busy
        if len(asked) == 2:
            raise RuntimeError("odd")
        return len(asked) > 3

    outbox.handle("t", handler)
    with frozen("2030-01-01") as time, entered(acme):
        outbox.put("t", {"a": 1})
        for tries in (1, 2, 3):
            assert outbox.deliver() == 0
            assert outbox.deliver() == 0, "not due yet"
            assert len(asked) == tries
            time.tick(2**tries)
        assert outbox.deliver() == 1
        assert asked == [{"a": 1}] * 4
        assert rows.waiting() == 0


def test_an_unknown_topic_waits_for_the_version_that_knows_it_and_is_given_up_after_a_day(
    acme: Tenant, frozen: Any
) -> None:
    with frozen("2030-01-01") as time, entered(acme):
        outbox.put("new", {})
        outbox.deliver()
        assert rows.waiting() == 1
        time.tick(90_000)
        outbox.deliver()
        assert rows.waiting() == 0


def test_delays_double_are_bounded_and_spread() -> None:
    for attempts, longest in ((1, 2), (2, 4), (5, 32), (30, outbox.LONGEST_DELAY)):
        delays = {outbox.delay(attempts) for _ in range(50)}
        assert longest / 2 <= min(delays) and max(delays) <= longest
        assert len(delays) > 10


def test_a_message_for_later_is_not_taken_now(acme: Tenant, frozen: Any) -> None:
    with frozen("2030-01-01") as time, entered(acme):
        outbox.put("t", {}, clock.now() + dt.timedelta(hours=1))
        assert rows.claim(10, clock.now(), LEASE) == ()
        time.tick(3600)
        assert len(rows.claim(10, clock.now(), LEASE)) == 1


def test_what_waits_for_a_recipient_is_nobody_elses(twins: tuple[Tenant, Tenant]) -> None:
    acme, globex = twins
    with entered(acme):
        assert rows.put_all("t", [("shop", {"n": 1}), ("shop", {"n": 2}), ("bank", {})]) == 3
    with entered(globex):
        now = clock.now()
        assert rows.recipients(now, 10) == () and rows.claim(1, now, LEASE, "shop") == ()
        assert rows.attempts_of("shop") == 0 and rows.hold_back("shop", now + HOUR, "x") == 0
        assert rows.wake("shop", "%") == 0
        assert rows.give_up_of("shop", now + HOUR, "x") == 0 and rows.entries(10) == ()
    with entered(acme):
        now = clock.now()
        assert rows.claim(10, now, LEASE) == (), "it has a recipient"
        assert set(rows.recipients(now, 10)) == {"shop", "bank"}
        assert rows.recipients(now, 10, ["shop"]) == ("bank",)
        (first,) = rows.claim(1, now, LEASE, "shop")
        assert first.payload in ({"n": 1}, {"n": 2}) and rows.attempts_of("shop") == 1
        assert rows.hold_back("shop", now + HOUR, "silence") == 1, "but not the one in hand"
        assert rows.recipients(now, 10) == ("bank",)
        assert rows.wake("shop", "other%") == 0 and rows.wake("shop", "sil%") == 1
        assert set(rows.recipients(clock.now(), 10)) == {"shop", "bank"}
        problems = sorted(str(entry.problem) for entry in rows.entries(10))
        assert problems == ["None", "None", "silence"]


def test_what_was_given_up_is_kept_put_back_and_swept_up_by_its_own_tenant(
    twins: tuple[Tenant, Tenant],
) -> None:
    acme, globex = twins
    with entered(acme):
        number = outbox.put("t", {"a": 1})
        rows.put_all("t", [("shop", {}), ("shop", {})])
    with entered(globex):
        assert rows.give_up(number, "x") == 0
    with entered(acme):
        later = clock.now() + HOUR
        assert rows.give_up(number, "gone") == 1 and rows.give_up_of("shop", later, "silence") == 2
        assert rows.waiting() == 0
        over = rows.entries(10)
        assert sorted(str(entry.problem) for entry in over) == ["gone", "silence", "silence"]
        assert all(entry.given_up_at for entry in over)
    with entered(globex):
        assert rows.put_back(number) == rows.put_back() == rows.purge(later) == 0
    with entered(acme):
        assert rows.put_back(number) == 1 and rows.put_back(number) == 0
        (again,) = rows.claim(10, clock.now(), LEASE)
        assert (again.payload, again.attempts) == ({"a": 1}, 1)
        assert rows.purge(later) == 2 and rows.entries(10)[1:] == ()


def test_a_recipient_that_is_silent_rests_longer_each_time_and_is_given_up_after_a_day(
    acme: Tenant, frozen: Any, database: Any
) -> None:
    tries: list[str] = []

    def handler(payload: dict[str, Any]) -> None:
        tries.append(payload["to"])
        if payload["to"] == "dead":
            raise outbox.Undelivered("silence", silent=True)

    outbox.handle("t", handler)
    with frozen("2030-01-01") as time, entered(acme):
        outbox.put_all("t", [(to, {"to": to}) for to in ("dead", "dead", "dead", "well", "well")])
        assert outbox.deliver() == 0, "rounds leave what has a recipient alone"
        assert outbox.deliver_to("dead") == 0 and outbox.deliver_to("well") == 2
        assert tries == ["dead", "well", "well"], "one try tells that nobody is there"
        assert outbox.recipients(10) == ()
        rests = []
        for _ in range(20):
            rests.append((min(entry.next_at for entry in rows.entries(10)) - clock.now()).total_seconds())
            time.tick(rests[-1] - 0.1)
            assert outbox.recipients(10) == (), "not due yet"
            time.tick(0.2)
            outbox.deliver_to("dead")
        assert rests[0] <= 2 and rests[-1] > 1000 and tries.count("dead") == 21
        time.tick(90_000)
        outbox.deliver_to("dead")
        assert rows.waiting() == 0
        assert {entry.problem for entry in rows.entries(10)} == {"silence"} and len(rows.entries(10)) == 3
    [(facts,)] = database("SELECT facts FROM audit_log WHERE event = 'message.given_up'")
    assert facts["count"] == 3 and facts["recipient"] == "dead" and facts["why"] == "silence"


def test_one_bad_message_does_not_hold_up_the_recipients_others(acme: Tenant, frozen: Any) -> None:
    done: list[int] = []

    def handler(payload: dict[str, Any]) -> None:
        if payload["n"] == 0:
            raise outbox.Undelivered("answered 400", silent=False)
        done.append(payload["n"])

    outbox.handle("t", handler)
    with frozen("2030-01-01"), entered(acme):
        outbox.put_all("t", [("shop", {"n": number}) for number in range(4)])
        assert outbox.deliver_to("shop") == 3 and sorted(done) == [1, 2, 3]
        assert [entry.problem for entry in rows.entries(10)] == ["answered 400"]


def test_a_recipient_of_very_many_messages_makes_room(acme: Tenant) -> None:
    outbox.handle("t", lambda _payload: None)
    with entered(acme):
        outbox.put_all("t", [("shop", {}) for _ in range(3)])
        assert outbox.deliver_to("shop", seconds=0) == 0
        assert outbox.deliver_to("shop", stop=lambda: True) == 0
        assert outbox.deliver_to("shop") == 3
