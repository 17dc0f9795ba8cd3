"""Sessions and sign-ins when Redis is killed, emptied, frozen or full (F10-F13): nobody is signed out by Redis."""

import os
import signal
import time
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher
from redis import Redis as RedisClient

from idp import throttle
from idp.accounts import authenticate, passwords, sessions
from idp.embedded.redis import OPERATOR
from idp.errors import TooMany
from idp.store import redis as live
from idp.store.durable import credentials, outbox, users

PASSWORD = "correct horse battery staple"


@pytest.fixture
def dora(in_acme, monkeypatch):
    """A person of acme with a cheap password."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(passwords, "HOLD", 0.0)
    monkeypatch.setattr(passwords, "_NOBODY", passwords._unmatchable())
    throttle.forget()
    made = users.add("dora", email="dora@example.com", email_verified=True)
    credentials.put_password(made.id, passwords.hash(PASSWORD))
    _closed()
    yield made
    _closed()
    throttle.forget()


def _closed():
    """The breaker as in a process that has just started."""
    live._store.breaker = live.Breaker()
    live._store.client.connection_pool.disconnect()


def sign_in(user):
    return sessions.start(user, ["pwd"], "192.0.2.1", "Laptop")


def waits(monkeypatch):
    """Every call that goes out to Redis from now on: each of them waits until its time-out."""
    gone_out = []
    allow = live.Breaker.allow

    def noted(breaker):
        allowed = allow(breaker)
        if allowed and breaker is live.breaker():
            gone_out.append(breaker)
        return allowed

    monkeypatch.setattr(live.Breaker, "allow", noted)
    return gone_out


@contextmanager
def frozen_redis(services):
    """The server takes connections and never answers."""
    os.kill(services.redis.child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(services.redis.child.pid, signal.SIGCONT)


@contextmanager
def configured(services, **values):
    """Redis with other settings for a while."""
    with RedisClient.from_url(services.redis.url(OPERATOR), decode_responses=True) as operator:
        before = {name: operator.config_get(name)[name] for name in values}
        for name, value in values.items():
            operator.config_set(name, value)
        try:
            yield operator
        finally:
            for name, value in before.items():
                operator.config_set(name, value)


def test_f10_an_emptied_redis_signs_nobody_out(dora, services):
    session, token = sign_in(dora)
    with RedisClient.from_url(services.redis.url(OPERATOR)) as operator:
        operator.flushall()
    assert sessions.read(token) == session
    sessions.end(session, "signed out")
    with RedisClient.from_url(services.redis.url(OPERATOR)) as operator:
        operator.flushall()
    assert sessions.read(token) is None


def test_f10_a_killed_and_restarted_redis_signs_nobody_out(dora, services):
    session, token = sign_in(dora)
    port = services.redis.port
    services.redis.child.kill()
    services.redis.child.wait(5)
    try:
        assert sessions.read(token) == session
        assert authenticate.with_password("dora", PASSWORD, "192.0.2.1") == dora
    finally:
        services.redis.start(port)
        services.redis.wait()
    assert services.redis.port == port
    assert sessions.read(token) == session


def test_f11_a_frozen_redis_costs_a_quarter_second_twice_then_nothing(dora, services, monkeypatch):
    session, token = sign_in(dora)
    with frozen_redis(services):
        waited = waits(monkeypatch)
        assert [sessions.read(token) for _ in range(6)] == [session] * 6
        assert live.breaker().open
        # Each wait is bounded by TIMEOUT, and once the breaker is open there is at most one a second.
        assert live.FAILURES <= len(waited) <= live.FAILURES + 1 and live.TIMEOUT == 0.25
        waited.clear()
        fresh, cookie = sign_in(dora)
        assert len(waited) <= 1
        assert sessions.read(cookie).id == fresh.id
    time.sleep(live.TRY_EVERY + 0.1)
    assert sessions.read(token) == session
    assert not live.breaker().open


def test_f11_a_sign_out_while_redis_is_frozen_holds_after_the_thaw(dora, services):
    session, token = sign_in(dora)
    assert sessions.read(token) == sessions.read(token) == session
    with frozen_redis(services):
        sessions.end(session, "signed out")
        assert sessions.read(token) is None
    time.sleep(live.TRY_EVERY + 0.1)
    assert sessions.read(token) is None  # the copy is still in Redis, and is not believed
    assert outbox.waiting() == 1
    assert sessions.drop({"digest": session.digest.hex()})
    _closed()
    assert sessions.read(token) is None


def test_f11_limits_hold_while_redis_is_frozen(dora, services):
    with frozen_redis(services):
        outcomes = []
        for _ in range(8):
            try:
                authenticate.with_password("dora", "wrong", "192.0.2.1")
            except TooMany:
                outcomes.append("throttled")
            except authenticate.SignInFailed:
                outcomes.append("failed")
    assert outcomes == ["failed"] * 5 + ["throttled"] * 3


@pytest.mark.parametrize("fault", [{"maxmemory": "1"}, {"min-replicas-to-write": "1"}])
def test_f12_f13_a_redis_that_refuses_writes_stops_nobody(dora, services, fault):
    session, token = sign_in(dora)
    with configured(services, **fault):
        assert authenticate.with_password("dora", PASSWORD, "192.0.2.1") == dora
        later, cookie = sign_in(dora)
        assert sessions.read(cookie).id == later.id
        assert sessions.read(token) == session
        sessions.end(session, "signed out")
        assert sessions.read(token) is None
    assert sessions.read(token) is None
    assert sessions.read(cookie) is not None


def test_f13_a_full_redis_still_forgets_for_every_process(dora, services):
    session, token = sign_in(dora)
    assert sessions.read(token) == sessions.read(token) == session
    with configured(services, maxmemory="1"):
        sessions.end(session, "signed out")
        _closed()  # another process, which has not seen Redis fail
        assert sessions.read(token) is None
    assert outbox.waiting() == 1


def test_f12_a_loading_or_read_only_redis_is_away(dora, services):
    session, token = sign_in(dora)
    with RedisClient.from_url(services.redis.url(OPERATOR)) as operator:
        operator.replicaof("127.0.0.1", "1")  # a replica of nobody: reads answer, writes are refused
        try:
            assert authenticate.with_password("dora", PASSWORD, "192.0.2.1") == dora
            sessions.end(session, "signed out")
            assert sessions.read(token) is None
        finally:
            operator.replicaof("NO", "ONE")
    assert sessions.read(token) is None
