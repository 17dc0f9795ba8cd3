"""Second factors while nothing can count wrong ones: nobody is judged, and a right code is still good afterwards."""

import signal
from typing import Any

import pytest

from idp import throttle
from idp.accounts import factors
from idp.store import database as vault_database
from idp.store import redis, stalled
from idp.store.database import Unavailable
from idp.tenants import Tenant, entered
from tests.attacks.factoring import user, with_app

pytestmark = pytest.mark.slow


def test_bf05_without_redis_and_postgres_nobody_is_judged(
    services: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, person = with_app(acme), user(acme)

    def away(*_: Any) -> None:
        raise redis.Away(rule="redis.away")

    with monkeypatch.context() as patch, entered(acme):
        patch.setattr(redis, "call", away)
        services.postgres.child.send_signal(signal.SIGINT)
        services.postgres.child.wait(20)
        try:
            for _ in range(2):
                with pytest.raises(Unavailable) as refused:
                    factors.attempt(person, factors.TOTP, "198.51.100.1")
                assert refused.value.status == 503 and "Retry-After" in refused.value.headers
        finally:
            services.postgres.restart()
            services.postgres.wait()
            vault_database._engine().dispose()
            stalled.breaker().succeeded()
        throttle.forget()
        held = factors.attempt(person, factors.TOTP, "198.51.100.1")
        assert factors.judge(person, factors.TOTP, mine.code(), "a sign-in") == ("otp",)
        held.give_back()


def test_bf05_without_redis_half_the_limit_holds(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    with_app(acme)
    person = user(acme)

    def away(*_: Any) -> None:
        raise redis.Away(rule="redis.away")

    with monkeypatch.context() as patch, entered(acme):
        patch.setattr(redis, "call", away)
        for _ in range(2):
            factors.turned_away(person, factors.TOTP, "198.51.100.2",
                                factors.attempt(person, factors.TOTP, "198.51.100.2"))  # fmt: skip
        with pytest.raises(factors.Refusal) as stopped:
            factors.attempt(person, factors.TOTP, "198.51.100.2")
        assert stopped.value.status == 429
