"""Windows that this process counts, the share of a budget, and what names a counter."""

import threading
from dataclasses import replace
from uuid import UUID

import pytest

from idp import throttle
from idp.errors import TooMany
from idp.store.redis import Away
from idp.tenants import Policy, Tenant, entered

ACME = Tenant(UUID(int=1), "acme", "Acme", "active", "http://localhost/t/acme", policy=Policy())
GLOBEX = replace(ACME, id=UUID(int=2), slug="globex")


@pytest.fixture(autouse=True)
def _fresh():
    throttle.forget()
    throttle.share(1)
    yield
    throttle.forget()
    throttle.share(1)


@pytest.fixture
def without_redis(monkeypatch):
    """Redis away, and Postgres counting nothing, so that only this process does."""

    def away(*_):
        raise Away

    monkeypatch.setattr(throttle.throttle_counters, "add", away)
    monkeypatch.setattr(throttle.throttle_counters, "give_back", away)
    monkeypatch.setattr(throttle.throttle_counters, "begin", away)
    monkeypatch.setattr(throttle.throttle_counters, "end", away)
    monkeypatch.setattr(throttle.throttles, "add", lambda *_: (0, None))
    monkeypatch.setattr(throttle.throttles, "take_back", lambda *_: None)


def small(tenant=ACME, **policy):
    return entered(replace(tenant, policy=replace(tenant.policy, **policy)))


def test_a_window_counts_up_to_its_limit_and_begins_again():
    windows = throttle.Windows()
    fits = [windows.add(("a",), 60, 1, 2, at)[0] for at in (100, 101, 102, 159, 160)]
    assert fits == [True, True, False, False, True]


def test_what_is_refused_is_not_counted():
    windows = throttle.Windows()
    windows.add(("a",), 60, 2, 2, 100)
    assert windows.add(("a",), 60, 1, 2, 101) == (False, 2, 100)


def test_counts_are_taken_back_within_their_window_only():
    windows = throttle.Windows()
    _, _, begin = windows.add(("a",), 60, 1, 1, 100)
    windows.take_back(("a",), 1, begin)
    assert windows.add(("a",), 60, 1, 1, 110)[0]
    windows.add(("a",), 60, 1, 1, 200)
    windows.take_back(("a",), 1, begin)
    assert not windows.add(("a",), 60, 1, 1, 201)[0]


def test_do10_memory_is_bounded():
    windows = throttle.Windows(most=10)
    for number in range(100):
        windows.add((number,), 60, 1, 1, 100)
    assert len(windows._kept) == 10


def test_rc_many_threads_count_exactly():
    windows, won = throttle.Windows(), []
    start = threading.Barrier(16)

    def knock():
        start.wait(5)
        won.extend(fits for fits, _, _ in [windows.add(("a",), 60, 1, 50, 100) for _ in range(10)] if fits)

    threads = [threading.Thread(target=knock) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(won) == 50


def test_parts_do_not_run_together():
    with entered(ACME):
        assert throttle.counter("client", "a", "bc") != throttle.counter("client", "ab", "c")
        assert throttle.counter("account", "\ud800", "x").key


def test_bf01_an_ipv6_subscriber_is_one_address():
    with entered(ACME):
        one, same, other = (
            throttle.counter("address", f"2001:db8:{net}") for net in ("1::1", "1::ffff", "1:1::1")
        )
        assert one == same != other
        assert throttle.counter("address", "::ffff:192.0.2.1") == throttle.counter("address", "192.0.2.1")
        assert throttle.counter("client", "urn:a", "x") != throttle.counter("client", "urn:b", "x")


def test_the_numbers_are_the_tenants():
    with small(account_failures=3, account_failures_window=7, hash_seconds_per_minute=2):
        assert (throttle.counter("account", "a").most, throttle.counter("account", "a").window) == (3, 7)
        assert throttle.budget_counter("hash_seconds", 0.02).most == 2000
        assert throttle.budget_counter("hash_seconds", 0.02).amount == 20


def test_the_budget_of_tokens_never_asks_redis(without_redis, frozen):
    with frozen("2030-01-01 00:00:30") as time, small(tokens_per_minute=3):
        for _ in range(3):
            throttle.budget("tokens")
        with pytest.raises(TooMany) as refused:
            throttle.budget("tokens")
        assert refused.value.status == 429
        assert refused.value.headers["Retry-After"] == "60"
        time.tick(60)
        throttle.budget("tokens")


def test_each_process_grants_its_share(without_redis):
    throttle.share(3)
    with small(tokens_per_minute=9):
        for _ in range(3):
            throttle.budget("tokens")
        with pytest.raises(TooMany):
            throttle.budget("tokens")


def test_one_tenants_budget_is_not_anothers(without_redis):
    with small(tokens_per_minute=1):
        throttle.budget("tokens")
    with small(GLOBEX, tokens_per_minute=1):
        throttle.budget("tokens")
    with small(tokens_per_minute=1), pytest.raises(TooMany):
        throttle.budget("tokens")


def test_bf05_without_redis_the_limit_is_half(without_redis):
    with small(account_failures=10):
        for _ in range(5):
            throttle.reserve([throttle.counter("account", "alice", "::1")])
        with pytest.raises(TooMany) as refused:
            throttle.reserve([throttle.counter("account", "alice", "::1")])
        assert refused.value.rule == "throttle.account"


def test_bf05_what_turned_out_well_is_given_back_without_redis_as_well(without_redis):
    with small(account_failures=2, address_failures=2):
        for _ in range(20):
            counters = [throttle.counter("account", "alice"), throttle.counter("address", "::1")]
            throttle.reserve(counters).give_back()


def test_a_refused_attempt_leaves_no_count_on_the_other_counters(without_redis):
    with small(account_failures=100, address_failures=2):
        throttle.reserve([throttle.counter("address", "::1")])
        for _ in range(200):
            with pytest.raises(TooMany):
                throttle.reserve([throttle.counter("account", "alice"), throttle.counter("address", "::1")])
        throttle.reserve([throttle.counter("account", "alice")])


def test_a_good_client_never_asks_redis(monkeypatch):
    def asked(*_):
        raise AssertionError("Redis was asked")

    monkeypatch.setattr(throttle.throttle_counters, "add", asked)
    with entered(ACME):
        assert throttle.blocked("client", "web", "::1") is None


def test_client_failures_block_after_the_limit(without_redis, frozen):
    with frozen("2030-01-01") as time, small(client_failures=4, client_failures_window=60):
        assert [throttle.failed("client", "web", "192.0.2.1") for _ in range(2)] == [None, None]
        assert throttle.blocked("client", "web", "192.0.2.1") == 60
        assert throttle.blocked("client", "web", "192.0.2.2") is None
        time.tick(20)
        assert throttle.failed("client", "web", "192.0.2.1") == 40
        time.tick(40)
        assert throttle.blocked("client", "web", "192.0.2.1") is None
