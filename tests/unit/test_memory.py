"""What a process remembers is bounded and safe among threads."""

import threading

import pytest

from idp.memory import Recent


@pytest.mark.parametrize("most", [3, 10])
def test_what_was_used_longest_ago_is_forgotten(most: int) -> None:
    kept: Recent[int, int] = Recent(most)
    for number in range(1, most + 1):
        kept.put(number, number)
    assert kept.get(1) == 1
    kept.put(most + 1, most + 1)
    assert (len(kept), kept.get(2), kept.get(1)) == (most, None, 1)
    kept.drop(1)
    kept.drop(1)
    assert 1 not in kept.everyone()
    kept.clear()
    assert len(kept) == 0


def test_many_threads_never_meet_an_error_and_the_bound_holds() -> None:
    kept: Recent[int, int] = Recent(8)
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for step in range(4_000):
                kept.put((seed * step) % 23, step)
                kept.get((seed + step) % 23)
                if step % 5 == 0:
                    kept.drop(step % 23)
                if step % 997 == 0:
                    kept.clear()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(kept) <= 8
