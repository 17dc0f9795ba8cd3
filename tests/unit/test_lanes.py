"""At most so many run at once; who waits leaves its lane to others."""

import threading

import pytest

from idp import lanes


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
