"""At most so many run at once; who waits leaves its lane to others."""

import threading
import time
from collections.abc import Callable
from uuid import UUID

import pytest

from idp import lanes
from idp.control.readiness.check import Result
from idp.signing import cache
from idp.store.durable import signing_keys
from idp.tenants import Tenant, entered
from idp.web.health import Readiness


@pytest.fixture
def two() -> object:
    before = lanes._free
    lanes.open_(2)
    yield
    lanes._free = before


def _start(work: object, count: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    return threads


def test_no_more_than_the_lanes_run_at_once(two: object) -> None:
    running, most, lock = [0], [0], threading.Lock()
    together = threading.Barrier(2, timeout=5)

    def work() -> None:
        with lanes.taken():
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            together.wait()
            with lock:
                running[0] -= 1

    for thread in _start(work, 8):
        thread.join(10)
    assert most[0] == 2


def test_who_waits_leaves_the_lane_and_gets_one_back(two: object) -> None:
    waiting = threading.Barrier(6, timeout=5)
    done = []

    def work() -> None:
        with lanes.taken():
            with lanes.left():
                waiting.wait()
            done.append(lanes._here.taken)

    for thread in _start(work, 6):
        thread.join(10)
    assert done == [True] * 6


def test_a_lane_is_free_again_after_an_error(two: object) -> None:
    for _ in range(5):
        with pytest.raises(RuntimeError), lanes.taken():
            raise RuntimeError
    with lanes.taken():
        pass


def test_without_lanes_everybody_runs() -> None:
    before, lanes._free = lanes._free, None
    try:
        with lanes.taken(), lanes.left():
            assert not lanes._here.taken
    finally:
        lanes._free = before


def _all_come_back(work: Callable[[], object], go: threading.Event, arrived: threading.Semaphore) -> bool:
    """Whether three who do `work`, whose holder waits for `go` outside its lane, all come to an end."""
    first = _start(work, 1)
    assert arrived.acquire(timeout=5)
    others = _start(work, 3)
    # They are in their lanes, or wait for the lock: nobody else comes in before the holder has come back.
    for _ in range(50):
        if lanes._free is not None and not lanes._free.qsize():
            break
        time.sleep(0.01)
    go.set()
    for thread in first + others:
        thread.join(5)
    return not any(thread.is_alive() for thread in first + others)


def test_who_waits_for_a_lock_leaves_its_lane_to_the_holder(two: object) -> None:
    lock, go, arrived = threading.Lock(), threading.Event(), threading.Semaphore(0)

    def work() -> None:
        with lanes.taken(), lanes.holding(lock), lanes.left():
            arrived.release()
            go.wait(5)

    assert _all_come_back(work, go, arrived)


def test_many_who_want_the_keys_of_a_new_tenant_do_not_stop_the_process(
    two: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, arrived = threading.Event(), threading.Semaphore(0)
    tenant = Tenant(UUID(int=1), "acme", "Acme", "active", "http://localhost:8000/t/acme")

    def slowly() -> tuple[()]:
        with lanes.left():
            arrived.release()
            go.wait(5)
        return ()

    monkeypatch.setattr(signing_keys, "all_keys", slowly)

    def work() -> None:
        with lanes.taken(), entered(tenant):
            cache.load(tenant)

    try:
        assert _all_come_back(work, go, arrived)
    finally:
        cache.forget()


def test_many_probes_during_a_slow_look_do_not_stop_the_process(two: object) -> None:
    go, arrived = threading.Event(), threading.Semaphore(0)

    def look() -> list[Result]:
        with lanes.left():
            arrived.release()
            go.wait(5)
        return []

    readiness = Readiness(look, list)

    def work() -> None:
        with lanes.taken():
            readiness.arrived()

    assert _all_come_back(work, go, arrived)
