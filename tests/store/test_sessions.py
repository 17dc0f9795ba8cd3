"""Sessions in the vault and in Redis: new ids, lifetimes, limits, ends, and the wall between tenants."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from idp import clock, ids
from idp.accounts import sessions
from idp.errors import AccessDenied
from idp.store.durable import clients, users
from idp.store.durable import sessions as records
from idp.store.ephemeral import live_sessions
from idp.tenants import entered

USER = UUID("01890a5d-0000-7000-8000-000000000005")
CLIENT = UUID("01890a5d-0000-7000-8000-000000000006")
LAPTOP = ("127.0.0.1", "Laptop")


@pytest.fixture
def both(twins, database):
    """Dora and the client `shop`, once in each tenant, under the very same ids."""
    for tenant in twins:
        database(
            "INSERT INTO users (tenant_id, id, username, username_norm, username_skeleton, email_verified, claims,"
            " status, created_at, updated_at) VALUES (%s, %s, 'dora', 'dora', 'dora', false, '{}', 'active', now(),"
            " now())",
            str(tenant.id), str(USER),
        )  # fmt: skip
        database(
            "INSERT INTO clients (tenant_id, id, client_id, metadata, settings, status, created_at, updated_at)"
            " VALUES (%s, %s, 'shop', '{\"backchannel_logout_uri\": \"https://shop.test/out\"}', '{}', 'active',"
            " now(), now())",
            str(tenant.id), str(CLIENT),
        )  # fmt: skip
    return twins


def begin(**more):
    return sessions.start(users.by_id(USER), ["pwd"], *LAPTOP, **more)


def record(**changed):
    at = clock.now()
    made = records.Session(
        id=UUID(int=1), digest=b"d" * 32, sid="s", user_id=USER, auth_time=at, amr=("pwd",), acr="1", created_at=at,
        last_seen_at=at, expires_at=at + timedelta(days=1), ended_at=None, end_reason=None, address="::1",
        user_agent="Laptop",
    )  # fmt: skip
    return replace(made, **changed)


def test_the_same_ids_and_digests_live_apart(both):
    acme, globex = both
    mine, theirs = record(), record(user_agent="Phone")
    with entered(acme):
        assert records.begin(mine, 20) == ()
    with entered(globex):
        assert records.live_by_digest(mine.digest) is None
        assert records.by_id(mine.id) is records.live_by_id(mine.id) is None
        assert records.of_user(USER) == ()
        assert not records.known_address(USER, "::1", mine.created_at)
        assert not records.seen(mine.id, clock.now())
        assert not records.renew(mine, replace(mine, digest=b"x" * 32))
        assert records.end(mine.id, "stolen") is None
        assert records.end_of_user(USER, "stolen") == ()
        assert records.purge(clock.now() + timedelta(days=9)) == 0
        assert records.begin(theirs, 1) == ()
        assert records.listeners([mine.id], "backchannel_logout_uri") == ()
        assert records.live_by_digest(mine.digest).user_agent == "Phone"
        records.use(theirs.id, CLIENT)
        assert records.end(theirs.id, "over").digest == theirs.digest
    with entered(acme):
        assert records.live_by_digest(mine.digest) == records.live_by_id(mine.id) == mine
        assert records.by_id(mine.id) == mine
        assert records.of_user(USER) == (mine,)
        assert records.known_address(USER, "::1", mine.created_at)
        assert records.clients_of(mine.id) == ()
        records.use(mine.id, CLIENT)
        records.use(mine.id, CLIENT)
        assert records.clients_of(mine.id) == (CLIENT,)
        assert records.listeners([mine.id], "backchannel_logout_uri") == ((mine.id, CLIENT),)
        assert records.listeners([mine.id], "frontchannel_logout_uri") == ()
        assert records.seen(mine.id, clock.now())
        assert records.renew(mine, replace(mine, digest=b"x" * 32))
        assert [each.digest for each in records.end_of_user(USER, "over")] == [b"x" * 32]
        assert records.purge(clock.now() + timedelta(days=9)) == 1


def test_a_cookie_of_one_tenant_is_nothing_in_the_other(both):
    acme, globex = both
    with entered(acme):
        session, token = begin()
        assert sessions.read(token) == session
    with entered(globex):
        assert sessions.read(token) is None
        assert sessions.alive(session.id) is None
        assert sessions.end(session, "stolen") is False
        assert sessions.end_all(USER, "stolen") == 0
    with entered(acme):
        assert sessions.read(token) == session


def test_only_the_digest_is_kept(both, database):
    with entered(both[0]):
        session, token = begin()
    assert len(ids.unb64(token)) == 32
    assert session.digest == ids.digest(token)
    [row] = database("SELECT sessions::text FROM sessions")
    assert token not in row[0]


@pytest.mark.parametrize("junk", [None, "", "x", "é" * 43, "\x00" * 43, "a" * 43, "a" * 10_000])
def test_f31_a_broken_cookie_is_no_session(both, junk):
    with entered(both[0]):
        assert sessions.read(junk) is None


def test_br03_every_sign_in_has_a_new_token_and_the_old_one_is_dead(both):
    with entered(both[0]):
        first, planted = begin()
        again, token = begin(replaces=first)
        assert planted != token
        assert (again.id, again.sid) == (first.id, first.sid)  # the same person's session goes on
        assert sessions.read(planted) is None
        assert sessions.read(token) == again
        moved, third = sessions.rotate(again)
        assert sessions.read(token) is None
        assert sessions.read(third) == moved


def test_br03_another_persons_session_ends_at_a_sign_in(both):
    with entered(both[0]):
        other = users.add("other")
        theirs, planted = sessions.start(other, ["pwd"], *LAPTOP)
        mine, token = begin(replaces=theirs)
        assert mine.id != theirs.id
        assert sessions.read(planted) is None
        assert sessions.read(token).user_id == USER
        assert records.by_id(theirs.id).end_reason == "replaced"


def test_idle_and_absolute_age_by_frozen_time(both, frozen):
    with entered(both[0]) as tenant, frozen() as time:
        _, token = begin()
        time.tick(tenant.policy.session_idle - 1)
        session = sessions.read(token)
        assert session is not None
        sessions.touch(session)
        time.tick(tenant.policy.session_idle - 1)
        assert sessions.read(token) is not None
        time.tick(1)
        assert sessions.read(token) is None
        _, token = begin()
        for _ in range(tenant.policy.session_absolute // 3000):
            session = sessions.read(token)
            assert session is not None
            sessions.touch(session)
            time.tick(3000)
        time.tick(tenant.policy.session_absolute % 3000)
        assert sessions.read(token) is None
        assert sessions.alive(session.id) is None


def test_touch_writes_once_a_minute_and_never_revives(both, frozen):
    with entered(both[0]), frozen() as time:
        session, token = begin()
        assert sessions.touch(session) is session
        time.tick(61)
        assert sessions.touch(session).last_seen_at == clock.now()
        assert sessions.read(token).last_seen_at == clock.now()
        time.tick(61)
        sessions.end(session, "signed out")
        sessions.touch(session)
        assert sessions.read(token) is None


def test_the_oldest_of_too_many_ends(both, frozen):
    with entered(both[0]) as tenant, frozen() as time:
        tokens = []
        for _ in range(tenant.policy.sessions_per_user + 2):
            tokens.append(begin()[1])
            time.tick(1)
        assert [sessions.read(token) is not None for token in tokens[:3]] == [False, False, True]
        assert len(sessions.of_user(USER)) == tenant.policy.sessions_per_user


def test_end_and_end_all(both):
    with entered(both[0]):
        (first, token), (_, second), (kept, third) = begin(), begin(), begin()
        assert sessions.end(first, "signed out")
        assert not sessions.end(first, "signed out")
        assert sessions.read(token) is None
        assert sessions.end_all(users.by_id(USER), "password changed", keep=kept) == 1
        assert sessions.read(second) is None
        assert sessions.read(third) is not None


def test_rt05_a_disabled_person_has_no_session(both):
    with entered(both[0]):
        session, _ = begin()
        users.change(USER, status="disabled")
        assert sessions.alive(session.id) is None
        with pytest.raises(AccessDenied):
            begin()
        users.change(USER, status="active", not_before=clock.now() + timedelta(seconds=1))
        assert sessions.alive(session.id) is None


def test_a_session_knows_its_clients(both):
    with entered(both[0]):
        session, _ = begin()
        sessions.used_by(session, CLIENT)
        assert sessions.clients_of(session) == (CLIENT,)


def test_each_client_knows_a_session_by_another_name(both):
    with entered(both[0]):
        session, _ = begin()
        shop = clients.by_id(CLIENT)
        known = sessions.known_as(session.id, shop)
        assert known == sessions.known_as(session.id, shop) and len(ids.unb64(known)) == 16
        assert known != sessions.known_as(session.id, replace(shop, id=USER))
        assert known not in (session.sid, str(session.id))
        assert sessions.known_as(begin()[0].id, shop) != known
        assert sessions.known_as(None, shop) is sessions.known_as(USER, shop) is None
        assert sessions.known_as(session.id, replace(shop, metadata={})) is None


def test_an_end_is_not_undone_by_a_request_that_read_before_it(both):
    with entered(both[0]):
        session, token = begin()
        sessions.end(session, "signed out")
        live_sessions.put(session, 60)  # the slow request's copy comes late
        assert sessions.read(token) is None


def test_a_copy_is_compared_with_postgres_after_a_minute(both, database, frozen):
    with entered(both[0]), frozen() as time:
        _, token = begin()
        sessions.read(token)
        database("UPDATE sessions SET ended_at = now()")  # and nobody told Redis
        assert sessions.read(token) is not None
        for _ in range(59):  # heard of each second
            time.tick(1)
            assert sessions.read(token) is not None
        time.tick(1)
        assert sessions.read(token) is None


def test_a_silence_of_redis_makes_postgres_asked(both, database, frozen):
    with entered(both[0]), frozen() as time:
        _, token = begin()
        sessions.read(token)
        database("UPDATE sessions SET ended_at = now()")
        time.tick(2)
        assert sessions.read(token) is None


def test_of_many_sign_ins_at_once_no_more_last_than_the_limit_allows(both):
    acme, globex = both
    with entered(globex):
        assert records.begin(record(id=UUID(int=99), digest=b"g" * 32), 2) == ()
    for trial in range(3):
        barrier = threading.Barrier(6)

        def one(number, trial=trial, barrier=barrier):
            with entered(acme):
                barrier.wait(20)
                mine = UUID(int=100 + 10 * trial + number)
                return records.begin(record(id=mine, digest=mine.bytes * 2, sid=str(mine)), 2)

        with ThreadPoolExecutor(6) as pool:
            assert None not in list(pool.map(one, range(6)))
        with entered(acme):
            assert len(records.of_user(USER)) == 2
    with entered(globex):
        assert len(records.of_user(USER)) == 1
