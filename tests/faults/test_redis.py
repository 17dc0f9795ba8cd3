"""Redis killed and frozen while people and relying parties go on (F10, F11): nobody is signed out, nothing hangs."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from idp import throttle
from idp.store import redis as live
from idp.tenants import Tenant
from tests.playing import RelyingParty, relying_party

LONGEST = 5.0
"""Seconds after which an answer would be as bad as none, on a machine busy with other things."""


@contextmanager
def killed(services: Any) -> Iterator[None]:
    """Valkey gone by SIGKILL; back on the same port, empty, at the end."""
    services.redis.child.kill()
    services.redis.child.wait(5)
    try:
        yield
    finally:
        services.redis.restart()
        services.redis.wait()


@contextmanager
def frozen_redis(services: Any) -> Iterator[None]:
    """Valkey takes connections and never answers."""
    os.kill(services.redis.child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(services.redis.child.pid, signal.SIGCONT)


FAULTS = {"f10 killed": killed, "f11 frozen": frozen_redis}


def busy(answer: Any) -> bool:
    """Whether an answer is 503 with a time to come back after."""
    return bool(answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1)


def eventually(condition: Any) -> None:
    """Wait until something holds, five seconds at most."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "not recovered in time"
        time.sleep(0.1)


@pytest.fixture
def rp(app: Any, acme: Tenant) -> Iterator[RelyingParty]:
    """Acme's client `web`; the breaker as in a process that has just started."""
    throttle.forget()
    live._store.breaker = live.Breaker()
    yield relying_party(app, acme)
    live._store.breaker = live.Breaker()
    throttle.forget()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_need_redis_goes_on(app: Any, rp: RelyingParty, services: Any, fault: str) -> None:
    tokens = rp.sign_in()
    nightly = relying_party(app, rp.tenant, "nightly")
    with FAULTS[fault](services):
        began = time.monotonic()
        for _ in range(3):
            assert rp.userinfo(tokens["access_token"]).status_code == 200
            assert rp.introspect(tokens["access_token"])["active"] is True
            refreshed = rp.refresh(tokens["refresh_token"])
            assert refreshed.status_code == 200, refreshed.get_data(as_text=True)
            tokens = refreshed.get_json()
            assert nightly.post("token", {"grant_type": "client_credentials"}).status_code == 200
            for path in (".well-known/openid-configuration", "jwks.json"):
                assert app.test_client().get(f"/t/acme/{path}").status_code == 200
        assert time.monotonic() - began < LONGEST


@pytest.mark.parametrize("fault", FAULTS)
def test_what_needs_redis_is_503_and_nobody_is_signed_out(
    rp: RelyingParty, services: Any, fault: str
) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    with FAULTS[fault](services):
        began = time.monotonic()
        for _ in range(4):
            page = rp.authorize(rp.browser())
            assert busy(page.answer) and "<html" in page.html
            assert busy(rp.authorize(browser, prompt="none").answer)
            assert busy(rp.redeem("c" * 43))
        assert time.monotonic() - began < LONGEST
    eventually(lambda: rp.authorize(browser, prompt="none").answer.status_code == 303)
    again = rp.authorize(browser, prompt="none")
    assert rp.redeem(again.code).status_code == 200


def test_f10_a_code_that_was_lost_is_no_code_and_a_sign_in_starts_again(
    rp: RelyingParty, services: Any
) -> None:
    lost = rp.authorize().login("alice").code
    midway = rp.authorize()
    with killed(services):
        pass
    eventually(lambda: rp.redeem(lost).status_code == 400)
    live._store.breaker = live.Breaker()
    midway.login("alice")
    if midway.answer.status_code == 200:  # the page again, for the same request
        midway.login("alice")
    assert rp.redeem(midway.code).status_code == 200


def test_f10_a_code_used_before_the_loss_is_not_used_again(rp: RelyingParty, services: Any) -> None:
    code = rp.authorize().login("alice").code
    tokens = rp.exchange(code)
    with killed(services):
        pass
    eventually(lambda: rp.redeem(code).status_code == 400)
    assert rp.userinfo(tokens["access_token"]).status_code == 401  # a replay ends what the code became


def test_f11_a_code_outlives_a_redis_that_froze_while_it_was_redeemed(
    rp: RelyingParty, services: Any
) -> None:
    code = rp.authorize().login("alice").code
    with frozen_redis(services):
        assert busy(rp.redeem(code))
    live._store.breaker = live.Breaker()
    assert rp.redeem(code).status_code == 200
    assert rp.redeem(code).status_code == 400
