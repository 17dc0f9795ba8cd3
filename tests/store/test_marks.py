"""Marks of what was used: each tenant's own, left once."""

import datetime as dt
import threading

from idp import clock
from idp.ids import digest
from idp.store.durable import marks
from idp.tenants import entered

SOON = dt.timedelta(minutes=1)


def test_a_mark_is_left_once_in_each_tenant(acme, globex):
    until = clock.now() + SOON
    for tenant in (acme, globex):
        with entered(tenant):
            assert marks.leave("jti", digest("one"), until)
            assert not marks.leave("jti", digest("one"), until)
            assert marks.leave("other kind", digest("one"), until)


def test_whether_a_mark_was_left_is_told_in_its_own_tenant(acme, globex):
    with entered(acme):
        assert not marks.left("jti", digest("seen"))
        assert marks.leave("jti", digest("seen"), clock.now() + SOON)
        assert marks.left("jti", digest("seen"))
        assert not marks.left("other kind", digest("seen"))
    with entered(globex):
        assert not marks.left("jti", digest("seen"))


def test_of_many_at_once_one_leaves_it(acme):
    barrier, won = threading.Barrier(8), []

    def leave():
        with entered(acme):
            barrier.wait(10)
            won.append(marks.leave("jti", digest("raced"), clock.now() + SOON))

    threads = [threading.Thread(target=leave) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(won) == [False] * 7 + [True]


def test_purging_takes_only_ones_own_and_only_what_has_expired(acme, globex):
    past, until = clock.now() - SOON, clock.now() + SOON
    for tenant in (acme, globex):
        with entered(tenant):
            marks.leave("jti", digest("old"), past)
            marks.leave("jti", digest("new"), until)
    with entered(acme):
        assert marks.purge(clock.now()) == 1
        assert marks.purge(clock.now()) == 0
        assert marks.leave("jti", digest("old"), until) and not marks.leave("jti", digest("new"), until)
    with entered(globex):
        assert not marks.leave("jti", digest("old"), until)
