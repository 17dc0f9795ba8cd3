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
