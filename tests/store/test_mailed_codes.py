"""Codes by e-mail in the vault: what acme asks for, globex cannot find, fill, try, confirm, use or purge."""

import datetime as dt
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from idp import clock
from idp.ids import digest, uuid7
from idp.store.durable import mailed_codes, users
from idp.store.durable.mailed_codes import MailedCode
from idp.tenants import entered

HOUR = dt.timedelta(hours=1)


def make(text="link", **changes):
    now, user = clock.now(), users.by_username("alice")
    made = MailedCode(
        uuid7(), "sign_in", digest("transaction"), "sealed", user.id, b"state", b"code", digest(text), 0, now,
        now + HOUR,
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture
def both(acme, globex):
    """The same link and id in both tenants."""
    made = []
    for tenant in (acme, globex):
        with entered(tenant):
            code = make(id=made[0].id) if made else make()
            mailed_codes.add(code)
            made.append(code)
    return made


def test_twins_have_their_own_code_under_one_link(acme, globex, both):
    for tenant, code in zip((acme, globex), both, strict=True):
        with entered(tenant):
            assert mailed_codes.by_id(code.id) == code == mailed_codes.by_link(code.link)
            assert mailed_codes.newest_of(code.user_id, clock.now()) == code
            assert mailed_codes.newest_of(code.user_id, clock.now() + 2 * HOUR) is None
            assert mailed_codes.by_id(uuid7()) is None and mailed_codes.by_link(digest("other")) is None
    assert both[0].user_id != both[1].user_id


def test_one_changes_only_ones_own(acme, globex, both):
    with entered(globex):
        theirs = make("theirs")
        mailed_codes.add(theirs)
    with entered(acme):
        assert mailed_codes.by_id(theirs.id) is None and mailed_codes.by_link(theirs.link) is None
        assert mailed_codes.newest_of(theirs.user_id, clock.now()) is None
        assert not mailed_codes.fill(theirs.id, both[0].user_id, b"s", b"c", digest("mine"))
        assert mailed_codes.attempt(theirs.id, 5) is None
        assert not mailed_codes.confirm(theirs.id, clock.now()) and not mailed_codes.use(
            theirs.id, clock.now()
        )
        assert mailed_codes.attempt(both[0].id, 5).tries == 1
        assert mailed_codes.confirm(both[0].id, clock.now()) and mailed_codes.use(both[0].id, clock.now())
        assert mailed_codes.purge(clock.now() + 2 * HOUR) == 1
    with entered(globex):
        assert mailed_codes.by_id(both[1].id) == both[1] and mailed_codes.by_id(theirs.id) == theirs


def test_it_is_filled_confirmed_and_used_once(acme, both):
    code = both[0]
    with entered(acme):
        assert mailed_codes.fill(code.id, code.user_id, b"now", b"new", digest("another"))
        assert (
            mailed_codes.by_link(code.link) is None and mailed_codes.by_link(digest("another")).code == b"new"
        )
        assert mailed_codes.confirm(code.id, clock.now()) and not mailed_codes.confirm(code.id, clock.now())
        assert mailed_codes.use(code.id, clock.now()) and not mailed_codes.use(code.id, clock.now())
        assert not mailed_codes.fill(code.id, code.user_id, b"now", b"new", digest("late"))
        assert mailed_codes.attempt(code.id, 5) is None
        assert mailed_codes.newest_of(code.user_id, clock.now()) is None


def test_it_is_tried_so_often_and_no_more_also_at_once(acme, both):
    given, start = [], Barrier(16)

    def attempt():
        with entered(acme):
            start.wait(10)
            given.append(mailed_codes.attempt(both[0].id, 5))

    threads = [Thread(target=attempt) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert sorted(each.tries for each in given if each is not None) == [1, 2, 3, 4, 5] and len(given) == 16


def test_purging_takes_only_what_is_over_and_a_code_goes_with_its_person(acme, both):
    with entered(acme):
        mailed_codes.add(make("over", expires_at=clock.now() - HOUR))
        nobodys = make(user_id=None, state=None, code=None, link=None)
        mailed_codes.add(nobodys)
        assert mailed_codes.purge(clock.now()) == 1
        users.remove(both[0].user_id)
        assert mailed_codes.by_id(both[0].id) is None and mailed_codes.by_id(nobodys.id) == nobodys
