"""Faults that are over in a moment: clocks, cookies, herds, a second worker."""

import json
import threading
from typing import Any

import freezegun
import pytest
from sqlalchemy import event

from idp import clock, outbox, seals, throttle
from idp.jobs.worker import Worker
from idp.signing import rotation
from idp.store import database as vault_database
from idp.tenants import Tenant, entered
from tests.conftest import REAL_TIME
from tests.playing import RelyingParty, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    """Acme's client `web`."""
    throttle.forget()
    return relying_party(app, acme)


@pytest.mark.parametrize("step", [-3600, -300, -30, 30, 300])
def test_f18_a_clock_that_steps_breaks_nothing_and_lets_nobody_in(
    rp: RelyingParty, app: Any, globex: Tenant, step: int
) -> None:
    browser = rp.browser()
    with freezegun.freeze_time("2030-06-01 12:00:00", ignore=list(REAL_TIME)) as hands:
        tokens = rp.sign_in(browser=browser)
        hands.tick(step)
        answers = [
            rp.userinfo(tokens["access_token"]), rp.refresh(tokens["refresh_token"]),
            rp.authorize(browser, prompt="none").answer, rp.authorize().login("bob").answer,
        ]  # fmt: skip
        assert all(answer.status_code < 500 for answer in answers)
        assert answers[1].status_code == 200 and "code=" in answers[3].headers["Location"]
        assert rp.userinfo(relying_party(app, globex).sign_in()["access_token"]).status_code == 401
        hands.tick(-step)
        fresh = answers[1].get_json()
        assert rp.refresh(fresh["refresh_token"]).status_code == 200


def test_f18_after_2038(rp: RelyingParty) -> None:
    with freezegun.freeze_time("2039-02-03 04:05:06", ignore=list(REAL_TIME)):
        with entered(rp.tenant):
            rotation.ensure(rp.tenant)
        tokens = rp.sign_in()
        assert rp.introspect(tokens["access_token"])["exp"] > 2**31
        assert rp.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("value", ["", "x", "A" * 43, "é" * 43, "\\0" * 43, "A" * 4_000, "v9." + "A" * 40])
def test_f31_a_cookie_that_is_none_of_ours_is_nobodys(rp: RelyingParty, value: str) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    names = [cookie.key for cookie in browser._cookies.values() if "session" in cookie.key]
    assert names
    for name in names:
        browser.set_cookie(name, value)
    visit = rp.authorize(browser, prompt="none")
    assert visit.params["error"] == "login_required"
    assert rp.authorize(browser).login("alice").code  # and whoever has it can sign in again


@pytest.mark.parametrize("kept", ["garbage", '{"t": 1}', "newer"])
def test_f31_a_session_copy_that_cannot_be_read_is_made_again(
    rp: RelyingParty, services: Any, kept: str
) -> None:
    from redis import Redis

    from idp.embedded.redis import OPERATOR

    browser = rp.browser()
    rp.authorize(browser).login("alice")
    with Redis.from_url(services.redis.url(OPERATOR)) as redis:
        [name] = redis.keys("idp:*:session:*")
        value = json.loads(redis.get(name))
        value["v"] = {**value["v"], "version": 99, "auth_time": "in a form of its own"}
        redis.set(name, json.dumps(value) if kept == "newer" else kept, keepttl=True)
    assert "code" in rp.authorize(browser, prompt="none").params


def test_f21_a_herd_after_a_rotation_costs_postgres_one_look(app: Any, acme: Tenant) -> None:
    with entered(acme):
        rotation.rotate("RS256", now=True)
    path, asked, wrong = "/t/acme/jwks.json", [], []
    engine = vault_database._engine()

    def heard(*given: Any) -> None:
        if "signing_keys" in given[2]:
            asked.append(given[2])

    def fetch() -> None:
        client = app.test_client()
        first = client.get(path)
        for _ in range(50):
            answer = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
            if answer.status_code not in (200, 304):
                wrong.append(answer.status_code)

    event.listen(engine, "before_cursor_execute", heard)
    try:
        threads = [threading.Thread(target=fetch) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        event.remove(engine, "before_cursor_execute", heard)
    assert wrong == [] and len(asked) <= 2


def test_f29_two_workers_do_everything_once(
    twins: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    monkeypatch.setitem(outbox._handlers, "drill", lambda payload: done.append(payload["number"]) or True)
    for tenant in twins:
        with entered(tenant):
            for number in range(20):
                outbox.put("drill", {"number": number}, clock.now())
    both = threading.Barrier(2)

    def work() -> None:
        both.wait(10)
        Worker().round()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    Worker().round()
    assert sorted(done) == sorted([*range(20), *range(20)])
    for tenant in twins:
        with entered(tenant):
            verdict = seals.verify()
            assert verdict.whole and verdict.unsealed == 0
