"""Redis for tenants: the key names the tenant, the value repeats it, and another's value is never believed."""

import json
import threading
from dataclasses import replace

import pytest
import redis as driver
from redis import Redis as RedisClient

from idp.embedded.redis import OPERATOR
from idp.store import redis
from idp.tenants import NoTenant, entered


@pytest.fixture
def operator(services):
    with RedisClient.from_url(services.redis.url(OPERATOR)) as client:
        yield client


def test_twins_have_their_own_under_one_name(acme, globex):
    with entered(acme):
        redis.put("thing", "x", {"of": "acme"}, 60)
        assert redis.put_once("once", "x", {"n": 1}, 60) and not redis.put_once("once", "x", {"n": 2}, 60)
        assert redis.count("hits", "x", 60) == 1 and redis.count("hits", "x", 60) == 2
    with entered(globex):
        assert redis.get("thing", "x") is None
        assert redis.get_all(("thing", "x"), ("once", "x")) == [None, None]
        assert redis.take("thing", "x") is None
        assert not redis.drop("thing", "x")
        assert redis.count("hits", "x", 60) == 1
        assert redis.put_once("once", "x", {"n": 3}, 60)
        assert redis.put_once_instead("over", "thing", "x", {}, 60)
    with entered(acme):
        assert redis.get("over", "x") is None
        assert redis.get("thing", "x") == {"of": "acme"}
        assert redis.get_all(("once", "x"), ("thing", "y")) == [{"n": 1}, None]
        assert redis.take("thing", "x") == {"of": "acme"} and redis.get("thing", "x") is None
        redis.put("thing", "x", {"of": "acme"}, 60)
        assert redis.put_once_instead("over", "thing", "x", {}, 60) and redis.get("thing", "x") is None
        assert not redis.put_once_instead("over", "thing", "x", {}, 60)
        assert redis.drop("once", "x") and not redis.drop("once", "x")


def test_a_value_copied_to_another_tenant_or_kind_is_not_believed(acme, globex, operator):
    with entered(acme):
        redis.put("session", "x", {"of": "acme"}, 60)
        mine = redis.key("session", "x")
        code = redis.key("code", "x")
    with entered(globex):
        theirs = redis.key("session", "x")
    for target in (theirs, code):
        operator.set(target, operator.get(mine))
    with entered(globex):
        assert redis.get("session", "x") is None and redis.take("session", "x") is None
    with entered(acme):
        assert redis.get("code", "x") is None
        assert redis.get("session", "x") == {"of": "acme"}


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\x80\x04pickle", b'{"t":1}', b'"text"'])
def test_what_nobody_of_ours_wrote_is_nothing(in_acme, operator, raw):
    operator.set(redis.key("thing", "x"), raw)
    assert redis.get("thing", "x") is None
    assert redis.take("thing", "x") is None


def test_a_value_that_is_no_document_is_nothing(in_acme, operator):
    sealed = json.dumps({"t": str(in_acme.id), "k": "thing", "v": [1]})
    operator.set(redis.key("thing", "x"), sealed)
    assert redis.get("thing", "x") is None


def test_without_a_tenant_there_is_no_key(vault):
    for verb in (redis.get, redis.take, redis.drop):
        with pytest.raises(NoTenant):
            verb("thing", "x")
    with pytest.raises(NoTenant):
        redis.put("thing", "x", {}, 60)


def test_keys_of_a_tenant_share_a_slot_and_name_it(in_acme):
    assert redis.key("a", "b") == f"idp:{{{in_acme.id}}}:a:b"


def test_a_counter_ends(in_acme, operator):
    redis.count("hits", "x", 60)
    assert 0 < operator.ttl(redis.key("hits", "x")) <= 60
    redis.count("hits", "x", 600)
    assert 0 < operator.ttl(redis.key("hits", "x")) <= 60


def test_a_script_works_on_keys_of_the_tenant(in_acme):
    name = redis.key("number", "x")
    assert redis.script("return redis.call('INCRBY', KEYS[1], ARGV[1])", [name], [5]) == 5


def test_a_heartbeat_is_the_platforms(vault):
    assert not redis.beats("nobody")
    redis.beat("somebody", 5)
    assert redis.beats("somebody")


@pytest.mark.parametrize(
    "command",
    ["KEYS *", "FLUSHALL", "CONFIG GET *", "SCRIPT FLUSH", "ACL LIST", "DEBUG SLEEP 0", "GET other:key", "SHUTDOWN",
     "SET other:key 1", "REPLICAOF NO ONE", "CLIENT KILL TYPE normal", "SUBSCRIBE other", "FUNCTION LIST",
     "EVAL return(redis.call('GET','other:key')) 0"],
)  # fmt: skip
def test_the_runtime_user_may_not(vault, command):
    with RedisClient.from_url(vault.redis_url) as client, pytest.raises(driver.exceptions.ResponseError):
        client.execute_command(*command.split())


def test_a_pool_that_is_full_is_waited_for_and_is_not_taken_for_redis_being_away(in_acme, settings):
    redis.stop()
    redis.start(settings, pool=1)
    try:
        connections = redis._store.client.connection_pool
        held = connections.get_connection()
        for _ in range(3):
            with pytest.raises(redis.Away) as full:
                redis.get("thing", "x")
            assert full.value.rule == "redis.pool" and not redis.breaker().open
        soon = threading.Timer(0.05, connections.release, (held,))
        soon.start()
        assert redis.get("thing", "x") is None
    finally:
        redis.stop()
        redis.start(settings)


def test_f10_a_script_is_enough_to_notice_that_redis_came_back_empty(in_acme, operator):
    """The one call that an open breaker lets through may name a script that the new server has never seen."""
    breaker = redis.breaker()
    try:
        operator.script_flush()
        while not breaker.open:
            breaker.failed()
        breaker._next_try = 0.0
        assert redis.count("tries", "back", 60) == 1
        assert not breaker.open
    finally:
        breaker.succeeded()


_ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


def test_what_is_gathered_goes_in_one_trip_at_the_end_or_when_asked(in_acme, operator):
    with redis.gathering():
        redis.put_later("thing", "x", {"n": 1}, 60)
        redis.put_later("thing", "x", {"n": 2}, 60, once=True)
        with redis.gathering():  # joins the outer one
            redis.script_later(_ADD, [redis.key("number", "x")], [5])
        assert redis.get("thing", "x") is None and not operator.exists(redis.key("number", "x"))
        redis.flush()
        assert redis.get("thing", "x") == {"n": 1} and operator.get(redis.key("number", "x")) == b"5"
        redis.put_later("thing", "y", {"n": 3}, 60)
        assert redis.get("thing", "y") is None
    assert redis.get("thing", "y") == {"n": 3}
    assert 0 < operator.ttl(redis.key("thing", "y")) <= 60


def test_nothing_is_sent_of_a_block_that_fails(in_acme):
    with pytest.raises(ZeroDivisionError), redis.gathering():
        redis.put_later("thing", "x", {"n": 1}, 60)
        raise ZeroDivisionError
    assert redis.get("thing", "x") is None
    redis.put_later("thing", "x", {"n": 2}, 60)  # nobody gathers: at once
    assert redis.get("thing", "x") == {"n": 2}


def test_a_gathered_script_is_sent_again_where_redis_has_forgotten_it(in_acme, operator):
    name = redis.key("number", "x")
    for _ in range(2):
        operator.script_flush()
        with redis.gathering():
            redis.script_later(_ADD, [name], [5])
            redis.put_later("thing", "x", {}, 60)
    assert operator.get(name) == b"10" and redis.get("thing", "x") == {}


def test_only_what_is_needed_is_missed_when_redis_takes_nothing_in(in_acme, operator):
    operator.config_set("maxmemory", "1")
    try:
        with redis.gathering():
            redis.put_later("thing", "x", {}, 60, needed=False)
        with pytest.raises(redis.Away), redis.gathering():
            redis.put_later("thing", "x", {}, 60)
    finally:
        operator.config_set("maxmemory", "0")
    assert redis.get("thing", "x") is None


def test_only_what_is_needed_is_missed_when_redis_is_away(in_acme, settings):
    redis.stop()
    redis.start(replace(settings, redis_url="redis://127.0.0.1:9/0"))
    try:
        with redis.gathering():
            redis.put_later("thing", "x", {}, 60, needed=False)
            redis.script_later(_ADD, [redis.key("number", "x")], [5])
        with pytest.raises(redis.Away), redis.gathering():
            redis.put_later("thing", "x", {}, 60)
    finally:
        redis.stop()
        redis.start(settings)


def test_what_is_gathered_stays_its_tenants_whoever_is_entered_when_it_goes(acme, globex):
    with redis.gathering():
        for number, tenant in enumerate((acme, globex), 1):
            with entered(tenant):
                redis.put_later("thing", "x", {"of": tenant.slug}, 60)
                redis.script_later(_ADD, [redis.key("number", "x")], [number])
        with entered(globex):
            redis.flush()
    for number, tenant in enumerate((acme, globex), 1):
        with entered(tenant):
            assert redis.get("thing", "x") == {"of": tenant.slug}
            assert redis.script(_ADD, [redis.key("number", "x")], [0]) == number
