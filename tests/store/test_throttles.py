"""Counters in Redis and, while it is away, in Postgres: tenant by tenant, exact under races."""

import threading
from datetime import timedelta

import pytest
from redis import Redis

from idp import clock
from idp.embedded.redis import OPERATOR
from idp.store.durable import throttles
from idp.store.ephemeral import throttle_counters
from idp.store.ephemeral.throttle_counters import Counter, Full
from idp.tenants import entered

KEY = b"k" * 32
COUNTER = Counter("account", "ab" * 32, most=3, window=60)


def test_postgres_counts_apart(twins):
    acme, globex = twins
    at = clock.now()
    with entered(acme):
        assert throttles.add("account", KEY, 60, at)[0] == 1
        assert throttles.add("account", KEY, 60, at + timedelta(seconds=1))[0] == 2
    with entered(globex):
        assert throttles.add("account", KEY, 60, at)[0] == 1
        throttles.take_back("account", KEY)
        throttles.take_back("account", KEY)
        assert throttles.purge(at + timedelta(days=1)) == 1
    with entered(acme):
        count, begin = throttles.add("account", KEY, 60, at + timedelta(seconds=59))
        assert (count, begin) == (3, at)
        assert throttles.add("account", KEY, 60, at + timedelta(seconds=60))[0] == 1
        assert throttles.add("address", KEY, 60, at)[0] == 1


def test_redis_counts_apart(twins):
    acme, globex = twins
    with entered(acme):
        for number in (1, 2, 3):
            assert throttle_counters.add([COUNTER], 1000) == [(number, 1000)]
        assert throttle_counters.add([COUNTER], 1010) == Full(COUNTER, 50)
    with entered(globex):
        assert throttle_counters.add([COUNTER], 1010) == [(1, 1010)]
        throttle_counters.give_back([COUNTER], [1000])  # of a window that never ran here
        assert throttle_counters.add([COUNTER], 1010) == [(2, 1010)]
    with entered(acme):
        throttle_counters.give_back([COUNTER], [1000])
        assert throttle_counters.add([COUNTER], 1010) == [(3, 1000)]
        assert throttle_counters.add([COUNTER], 1060) == [(1, 1060)]


def test_all_are_raised_or_none(in_acme):
    other = Counter("address", "cd" * 32, most=100, window=60)
    for _ in range(3):
        throttle_counters.add([other, COUNTER], 1000)
    assert isinstance(throttle_counters.add([other, COUNTER], 1000), Full)
    assert throttle_counters.add([other], 1000) == [(4, 1000)]


def test_a_value_of_another_tenant_is_not_believed(twins, services):
    acme, globex = twins
    with entered(acme):
        throttle_counters.add([COUNTER], 1000)
    with Redis.from_url(services.redis.url(OPERATOR)) as client:
        [name] = client.keys("idp:*throttle-account*")
        moved = name.replace(str(acme.id).encode(), str(globex.id).encode())
        client.rename(name, moved)
    with entered(globex):
        assert throttle_counters.add([COUNTER], 1001) == [(1, 1001)]


def test_every_counter_ends_by_itself(in_acme, services):
    throttle_counters.add([COUNTER], 1000)
    with Redis.from_url(services.redis.url(OPERATOR)) as client:
        assert all(0 < client.ttl(name) <= 60 for name in client.keys("idp:*throttle-*"))


@pytest.mark.parametrize("where", ["redis", "postgres"])
def test_bf04_a_hundred_at_once_count_as_a_hundred(in_acme, where):
    start, counts = threading.Barrier(8), []
    many = Counter("account", "ab" * 32, most=1000, window=60)
    at = clock.now()

    def knock():
        start.wait(10)
        for _ in range(13):
            with entered(in_acme):
                counts.append(
                    throttle_counters.add([many], 1000)[0][0]
                    if where == "redis"
                    else throttles.add("account", KEY, 60, at)[0]
                )

    threads = [threading.Thread(target=knock) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(counts) == list(range(1, 8 * 13 + 1))


def test_looking_and_lifting_are_one_tenants(twins):
    acme, globex = twins
    other = Counter("account", "cd" * 32, most=3, window=60)
    for tenant in twins:
        with entered(tenant):
            throttle_counters.add([COUNTER], 1000)
            throttle_counters.add([COUNTER], 1000)
            assert throttle_counters.begin([COUNTER], "open", 1000) is None
    with entered(acme):
        assert throttle_counters.look([COUNTER, other], 1010) == [(2, 50), (0, 0)]
        assert throttle_counters.look([COUNTER], 1060) == [(0, 0)]
        throttle_counters.lift([COUNTER, other])
        assert throttle_counters.look([COUNTER], 1010) == [(0, 0)]
        assert throttle_counters.begin([COUNTER], "another", 1010) is None
    with entered(globex):
        assert throttle_counters.look([COUNTER], 1010) == [(2, 50)]
