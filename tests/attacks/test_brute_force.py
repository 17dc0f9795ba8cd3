"""Guessing passwords: one account, many accounts, many at once, and with Redis away (BF01-BF05)."""

import itertools
import threading
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from redis import Redis

from idp import clock, throttle
from idp.accounts import authenticate, passwords, sessions
from idp.accounts.authenticate import SignInFailed
from idp.embedded.redis import OPERATOR
from idp.errors import Busy, TooMany
from idp.store import redis
from idp.store.durable import credentials, users
from idp.tenants import entered

PASSWORD = "correct horse battery staple"
HOME, STRANGER = "192.0.2.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Cheap hashes: what is counted here is attempts."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(passwords, "HOLD", 0.0)
    monkeypatch.setattr(passwords, "_NOBODY", passwords._unmatchable())
    throttle.forget()
    yield
    throttle.forget()


@pytest.fixture
def dora(acme, in_acme):
    """A person of acme with a password."""
    made = users.add("dora", email="dora@example.com", email_verified=True)
    credentials.put_password(made.id, passwords.hash(PASSWORD))
    return made


def guess(name="dora", address=STRANGER, password="wrong", **more):
    """`failed`, `throttled` or the user."""
    try:
        return authenticate.with_password(name, password, address, "Guesser", **more)
    except SignInFailed:
        return "failed"
    except TooMany as refusal:
        assert refusal.status == 429
        assert 1 <= int(refusal.headers["Retry-After"]) <= 300
        return "throttled"


def addresses(count, net="203.0"):
    return [f"{net}.{number // 250}.{number % 250}" for number in range(count)]


def test_bf01_ten_failures_from_one_address_stop_it_for_that_account(dora, frozen):
    with frozen() as time:
        assert [guess() for _ in range(11)] == ["failed"] * 10 + ["throttled"]
        assert guess(password=PASSWORD) == "throttled"
        assert guess(address=HOME, password=PASSWORD) == dora
        assert guess("bobby") == "failed"
        time.tick(301)
        assert guess(password=PASSWORD) == dora


def test_bf01_a_reached_limit_is_recorded_once(dora, database):
    for _ in range(30):
        guess()
    rows = database("SELECT event, facts FROM audit_log WHERE event LIKE 'sign_in.%%' ORDER BY at, id")
    assert [event for event, _ in rows] == ["sign_in.failed"] * 10 + ["sign_in.blocked"]
    assert rows[-1][1] == {"limits": ["account"]}


def test_bf01_username_and_address_are_one_counter(dora):
    for name in ("dora", "DORA", "dora@example.com", "Dora@EXAMPLE.com", "ｄｏｒａ") * 2:
        assert guess(name) == "failed"
    assert guess("dora") == guess("dora@example.com") == "throttled"


def test_bf01_two_hundred_addresses_meet_a_limit_and_the_person_does_not(dora, frozen):
    with frozen() as time:
        assert guess(address=HOME, password=PASSWORD) == dora
        sessions.start(dora, ["pwd"], HOME, "Laptop")
        cookie = authenticate.device_token(dora)
        outcomes = [guess(address=address) for address in addresses(200)]
        assert outcomes.count("failed") == 100
        assert outcomes[-1] == "throttled"
        assert guess(address=HOME, password=PASSWORD) == dora  # from where she signed in before
        assert (
            guess(address="192.0.2.99", password=PASSWORD, device=cookie) == dora
        )  # with the browser she used
        assert guess(address="192.0.2.99", password=PASSWORD) == "throttled"
        time.tick(301)
        assert guess(address="192.0.2.99", password=PASSWORD) == dora  # nobody stays locked out


def test_bf01_a_known_device_is_limited_by_itself(dora):
    cookie = authenticate.device_token(dora)
    assert [guess(device=cookie) for _ in range(11)] == ["failed"] * 10 + ["throttled"]
    assert guess(address=HOME, password=PASSWORD) == dora


@pytest.mark.parametrize(
    "forge", ["other user", "other tenant", "changed", "old", "password changed", "junk"]
)
def test_bf01_a_device_cookie_is_not_forged_moved_or_kept_for_ever(dora, twins, frozen, forge):
    with frozen() as time:
        cookie = authenticate.device_token(dora)
        if forge == "other user":
            cookie = authenticate.device_token(users.add("mallory"))
        elif forge == "changed":
            cookie = cookie[:-2] + ("A" if cookie[-2] != "A" else "B") + cookie[-1]
        elif forge == "old":
            time.tick(authenticate.DEVICE_FOR)
        elif forge == "password changed":
            dora = users.change(dora.id, not_before=clock.now())  # as every change of a password does
        elif forge == "junk":
            cookie = "é.\x00." + "x" * 10_000
        proved = authenticate.proved(cookie, dora)
        assert proved is (forge == "other tenant")
    if forge == "other tenant":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(authenticate, "current", lambda: twins[1])
            assert not authenticate.proved(cookie, dora)


def test_bf02_spraying_one_password_meets_the_addresss_limit(in_acme):
    outcomes = [guess(f"person{number}") for number in range(110)]
    assert outcomes == ["failed"] * 100 + ["throttled"] * 10


def test_bf02_spraying_from_everywhere_meets_the_tenants_budget(acme, dora):
    with_budget = replace(acme, policy=replace(acme.policy, sign_ins_per_minute=30))
    sessions.start(dora, ["pwd"], HOME, "Laptop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttle, "current", lambda: with_budget)
        outcomes = [guess(f"person{number}", address) for number, address in enumerate(addresses(40))]
        assert outcomes == ["failed"] * 30 + ["throttled"] * 10
        assert guess(address=HOME, password=PASSWORD) == dora  # a known person is not stopped by it


def test_hash_time_has_a_budget(acme, dora):
    with_budget = replace(acme, policy=replace(acme.policy, hash_seconds_per_minute=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttle, "current", lambda: with_budget)
        outcomes = [guess(f"person{number}", address) for number, address in enumerate(addresses(51))]
        assert outcomes == ["failed"] * 50 + ["throttled"]


def test_only_failures_count(dora):
    for _ in range(25):
        assert guess(password=PASSWORD) == dora
    assert [guess() for _ in range(10)] == ["failed"] * 10


def test_a_full_queue_is_no_failure(dora, monkeypatch):
    monkeypatch.setattr(passwords, "_queue", passwords.Queue(workers=1, waiting=-1))
    for _ in range(20):
        with pytest.raises(Busy):
            guess()
    monkeypatch.undo()
    assert guess(password=PASSWORD) == dora


def test_bf04_a_hundred_at_once_are_counted_before_they_are_judged(acme, dora, monkeypatch):
    judged, start = itertools.count(), threading.Barrier(8)
    real = passwords.matches

    def slow(secret, password):
        next(judged)
        return real(secret, password)

    monkeypatch.setattr(passwords, "matches", slow)
    outcomes = []

    def attack():
        start.wait(10)
        for _ in range(13):
            with entered(acme):
                outcomes.append(guess())

    threads = [threading.Thread(target=attack) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes.count("failed") == 10 == next(judged)
    assert outcomes.count("throttled") == 8 * 13 - 10


def at_once(acme, many, **more):
    """What `many` guesses that begin together come to."""
    outcomes, start = [], threading.Barrier(many)

    def go():
        start.wait(20)
        with entered(acme):
            outcomes.append(guess(**more))

    threads = [threading.Thread(target=go) for _ in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_many_right_ones_at_once_are_all_let_in(acme, dora, monkeypatch, services):
    monkeypatch.setattr(passwords, "_queue", passwords.Queue(workers=2, waiting=40))
    assert at_once(acme, 32, password=PASSWORD) == [dora] * 32
    with Redis.from_url(services.redis.url(OPERATOR)) as operator:
        left = {name.decode().split(":")[2] for name in operator.keys("*throttle*")}
    assert left <= {"throttle-budget-sign_ins", "throttle-budget-hash_seconds"}
    assert [guess() for _ in range(11)] == ["failed"] * 10 + ["throttled"]


def test_bf04_a_hundred_wrong_ones_at_once_are_judged_up_to_the_limit(acme, dora, monkeypatch):
    monkeypatch.setattr(passwords, "_queue", passwords.Queue(workers=2, waiting=100))
    outcomes = at_once(acme, 100)
    assert outcomes.count("failed") == 10 and outcomes.count("throttled") == 90


def test_who_finds_only_open_attempts_in_the_way_comes_back_in_a_second(dora, monkeypatch):
    monkeypatch.setattr(throttle, "LOOKS", 2)
    counters = [throttle.counter("account", str(dora.id), STRANGER)]
    held = [throttle.reserve(counters) for _ in range(10)]
    with pytest.raises(TooMany) as refused:
        authenticate.with_password("dora", PASSWORD, STRANGER)
    assert refused.value.headers["Retry-After"] == "1"
    held[0].give_back()
    assert guess(password=PASSWORD) == dora


def test_an_attempt_that_nobody_ends_frees_its_place_by_itself(dora, frozen, monkeypatch):
    monkeypatch.setattr(throttle, "LOOKS", 1)
    with frozen() as time:
        counters = [throttle.counter("account", str(dora.id), STRANGER)]
        for _ in range(10):
            throttle.reserve(counters)
        assert guess(password=PASSWORD) == "throttled"
        time.tick(31)
        assert guess(password=PASSWORD) == dora


@pytest.fixture
def without_redis(monkeypatch):
    """Every call to Redis is answered as by a server that is away."""

    def away(*_):
        raise redis.Away(rule="redis.away")

    monkeypatch.setattr(redis, "call", away)


def test_bf05_without_redis_half_the_limit_holds_across_processes(dora, without_redis):
    outcomes = []
    for number in range(8):
        if number % 2:
            throttle.forget()  # as if another process answered
        outcomes.append(guess())
    assert outcomes == ["failed"] * 5 + ["throttled"] * 3
    assert guess(address=HOME, password=PASSWORD) == dora


def test_bf05_without_redis_good_sign_ins_go_on(dora, without_redis):
    assert [guess(password=PASSWORD) for _ in range(12)] == [dora] * 12
