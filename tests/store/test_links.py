"""Links in the vault: what acme sends, globex cannot find, burn, list, drop or purge."""

import datetime as dt
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from idp import clock
from idp.ids import digest, uuid7
from idp.store.durable import links, users
from idp.store.durable.links import Link
from idp.tenants import entered

HOUR = dt.timedelta(hours=1)


def make(kind="recover", text="token", **changes):
    now = clock.now()
    user = users.by_username("alice")
    made = Link(uuid7(), kind, digest(text), user.id, b"state", "sealed", now, now + HOUR)
    return replace(made, **changes)


@pytest.fixture
def both(acme, globex):
    """The same digest and id in both tenants."""
    made = []
    for tenant in (acme, globex):
        with entered(tenant):
            link = make(id=made[0].id) if made else make()
            links.add(link)
            made.append(link)
    return made


def test_twins_have_their_own_link_under_one_digest(acme, globex, both):
    for tenant, link in zip((acme, globex), both, strict=True):
        with entered(tenant):
            assert links.find("recover", link.digest) == link
            assert links.find("other", link.digest) is None
            assert links.open_of("recover", clock.now()) == (link,)
            assert links.open_of("recover", clock.now() + 2 * HOUR) == ()
    assert both[0].user_id != both[1].user_id


def test_one_burns_only_ones_own_and_once(acme, globex, both):
    with entered(acme):
        assert links.burn(both[0].id, clock.now()) and not links.burn(both[0].id, clock.now())
        assert links.find("recover", both[0].digest).used_at is not None
        assert links.open_of("recover", clock.now()) == ()
    with entered(globex):
        assert links.find("recover", both[1].digest).used_at is None
        theirs = make(text="theirs")
        links.add(theirs)
    with entered(acme):
        assert links.find("recover", theirs.digest) is None and not links.burn(theirs.id, clock.now())


def test_dropping_takes_ones_own_unused_ones(acme, globex, both):
    with entered(acme):
        alice = both[0].user_id
        assert links.drop_of(both[1].user_id) == 0
        links.add(make("email", "second"))
        used = make("email", "used", used_at=clock.now())
        links.add(used)
        assert links.drop_of(alice, "recover") == 1 and links.drop_of(alice) == 1
        assert links.find("email", used.digest) == used
    with entered(globex):
        assert links.find("recover", both[1].digest) == both[1]


def test_purging_takes_only_ones_own_and_only_what_is_over(acme, globex, both):
    with entered(acme):
        links.add(make(text="over", expires_at=clock.now() - HOUR))
        assert links.purge(clock.now()) == 1
        assert links.find("recover", both[0].digest) == both[0]
        assert links.purge(clock.now() + 2 * HOUR) == 1
    with entered(globex):
        assert links.find("recover", both[1].digest) == both[1]


def test_a_link_goes_with_its_person(acme, both):
    with entered(acme):
        users.remove(both[0].user_id)
        assert links.find("recover", both[0].digest) is None


def test_of_many_at_once_one_burns(acme, both):
    won, start = [], Barrier(16)

    def burn():
        with entered(acme):
            start.wait(10)
            won.append(links.burn(both[0].id, clock.now()))

    threads = [Thread(target=burn) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert sorted(won) == [False] * 15 + [True]


def test_what_is_over_is_told_in_its_tenant(acme, globex, both):
    at = clock.now()
    with entered(acme):
        over = make("keep", "over", expires_at=at - HOUR)
        links.add(over)
        links.add(make("keep", "used", expires_at=at - HOUR, used_at=at))
        links.add(make("keep", "open"))
        assert links.expired_of("keep", at) == (over,) and links.expired_of("recover", at) == ()
    with entered(globex):
        assert links.expired_of("keep", at) == ()


def test_one_is_named_and_dropped_in_ones_own_tenant(acme, globex, both):
    with entered(acme):
        assert links.of_user(both[0].user_id, "recover") == both[0]
        assert links.of_user(both[0].user_id, "other") is None
        assert links.of_user(both[1].user_id, "recover") is None
        assert not links.drop(both[0].id, "other")
        assert links.drop(both[0].id, "recover") and not links.drop(both[0].id, "recover")
        assert links.of_user(both[0].user_id, "recover") is None
    with entered(globex):
        assert links.of_user(both[1].user_id, "recover") == both[1]
        assert links.burn(both[1].id, clock.now()) and not links.drop(both[1].id, "recover")
