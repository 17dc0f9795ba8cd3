"""Codes in Redis: burned by whoever reads them first, in their own tenant alone."""

import threading

from redis import Redis as RedisClient

from idp.embedded.redis import OPERATOR
from idp.store.ephemeral import codes
from idp.tenants import entered


def test_a_code_is_burned_in_its_own_tenant_alone(acme, globex):
    with entered(acme):
        codes.put("the-code", {"of": "acme"}, 60)
    with entered(globex):
        assert codes.burn("the-code") is None
        codes.put("the-code", {"of": "globex"}, 60)
    with entered(acme):
        assert codes.burn("the-code") == {"of": "acme"}
        assert codes.burn("the-code") is None
        codes.restore("other", {"of": "acme"}, 60)
    with entered(globex):
        assert codes.burn("the-code") == {"of": "globex"}
        assert codes.burn("other") is None


def test_of_many_at_once_one_burns_it(acme):
    with entered(acme):
        codes.put("raced", {"n": 1}, 60)
    barrier, found = threading.Barrier(8), []

    def burn():
        with entered(acme):
            barrier.wait(10)
            found.append(codes.burn("raced"))

    threads = [threading.Thread(target=burn) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [each for each in found if each is not None] == [{"n": 1}]


def test_what_is_given_back_does_not_cover_another(in_acme):
    codes.put("code", {"n": 1}, 60)
    burned = codes.burn("code")
    codes.restore("code", burned, 60)
    codes.restore("code", {"n": 2}, 60)
    assert codes.burn("code") == burned


def test_the_code_itself_is_nowhere_in_redis(in_acme, services):
    codes.put("a-secret-code", {"n": 1}, 60)
    with RedisClient.from_url(services.redis.url(OPERATOR)) as operator:
        for key in operator.scan_iter("*"):
            assert b"a-secret-code" not in key
            if operator.type(key) == b"string":
                assert b"a-secret-code" not in operator.get(key)
