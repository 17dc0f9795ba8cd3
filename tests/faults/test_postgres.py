"""Postgres killed, restarted, locked and exhausted (F01, F04-F06): 503 or an answer, nothing lost, nothing twice."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from idp import directory, throttle
from idp.oauth import issue
from idp.store import database as vault_database
from idp.store import stalled
from idp.store.database import transaction
from idp.tenants import Tenant, entered
from tests.playing import RelyingParty, relying_party

LONGEST = 5.0
"""Seconds after which an answer of 503 would be as bad as none, on a machine busy with other things."""


@contextmanager
def killed(services: Any) -> Iterator[None]:
    """Postgres gone by SIGKILL; back on the same port at the end."""
    services.postgres.child.kill()
    services.postgres.child.wait(5)
    try:
        yield
    finally:
        services.postgres.restart()
        services.postgres.wait()


def busy(answer: Any) -> bool:
    """Whether an answer is 503 with a time to come back after."""
    return bool(answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1)


def eventually(condition: Any) -> None:
    """Wait until something holds, five seconds at most (F01)."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "not recovered in time"
        time.sleep(0.05)


@pytest.fixture
def durable(services: Any, vault: Any) -> Iterator[None]:
    """What is committed is written, as in production; other tests do without it for speed."""
    services.superuser("ALTER DATABASE idp SET synchronous_commit = on")
    _reconnect()
    yield
    services.superuser("ALTER DATABASE idp RESET synchronous_commit")
    _reconnect()


def _reconnect() -> None:
    vault_database._engine().dispose()


@pytest.fixture
def rp(app: Any, durable: None, acme: Tenant) -> RelyingParty:
    """Acme's client `web`."""
    throttle.forget()
    return relying_party(app, acme)


def test_f01_postgres_killed_and_back(app: Any, acme: Tenant, rp: RelyingParty, services: Any) -> None:
    browser = rp.browser()
    tokens = rp.exchange(rp.authorize(browser).login("alice").code)
    page = rp.authorize(rp.browser(), prompt="login")
    http = app.test_client()
    known = [
        http.get(f"/t/acme/{path}").get_data() for path in (".well-known/openid-configuration", "jwks.json")
    ]
    with killed(services):
        began = time.monotonic()
        refused = rp.refresh(tokens["refresh_token"])
        assert busy(refused) and refused.get_json()["error"] == "temporarily_unavailable"
        assert busy(rp.userinfo(tokens["access_token"]))
        assert busy(rp.post("introspect", {"token": tokens["access_token"]}))
        page.submit(username="alice", password="correct horse battery staple", action="login")
        assert busy(page.answer) and "<html" in page.html
        assert time.monotonic() - began < 4 * LONGEST
        for path, before in zip((".well-known/openid-configuration", "jwks.json"), known, strict=True):
            answer = http.get(f"/t/acme/{path}")
            assert answer.status_code == 200 and answer.get_data() == before
    eventually(lambda: rp.userinfo(tokens["access_token"]).status_code == 200)
    assert rp.refresh(tokens["refresh_token"]).status_code == 200
    assert "code" in rp.authorize(browser, prompt="none").params
    eventually(directory.fresh)


def test_f01_a_restart_under_load_loses_nothing_that_was_answered(
    app: Any, rp: RelyingParty, services: Any
) -> None:
    browser, kept, wrong = rp.browser(), [], []
    rp.authorize(browser).login("alice")
    going = threading.Event()

    def load() -> None:
        mine = relying_party(app, rp.tenant)
        while not going.is_set():
            visit = mine.authorize(browser, prompt="none")
            if visit.answer.status_code == 503:
                continue
            if "code" not in visit.params:
                wrong.append(visit.params)
                continue
            answer = mine.redeem(visit.params["code"])
            if answer.status_code == 200:
                kept.append(answer.get_json())
            elif answer.status_code != 503 and answer.get_json().get("error") != "invalid_grant":
                wrong.append(answer.get_json())

    thread = threading.Thread(target=load)
    thread.start()
    try:
        eventually(lambda: len(kept) >= 2)
        with killed(services):
            time.sleep(0.3)
        before = len(kept)
        eventually(lambda: len(kept) >= before + 2)
    finally:
        going.set()
        thread.join(10)
    assert wrong == []
    for tokens in kept:
        assert rp.userinfo(tokens["access_token"]).status_code == 200


@contextmanager
def backend_killed_at_the_mint(database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connection dies after everything was burned and before the commit."""
    mint = issue.mint

    def dying(order: Any) -> Any:
        body = mint(order)
        with transaction() as tx:
            pid = tx.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
        database("SELECT pg_terminate_backend(%s)", pid)
        time.sleep(0.1)
        return body

    with monkeypatch.context() as patch:
        patch.setattr(issue, "mint", dying)
        yield


def test_f04_a_code_survives_a_backend_killed_before_the_commit(
    rp: RelyingParty, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = rp.authorize().login("alice").code
    with backend_killed_at_the_mint(database, monkeypatch):
        assert busy(rp.redeem(code))
    assert database("SELECT count(*) FROM grants") == [(0,)]
    assert rp.redeem(code).status_code == 200
    assert rp.redeem(code).status_code == 400


def test_f04_a_refresh_token_survives_a_backend_killed_before_the_commit(
    rp: RelyingParty, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = rp.sign_in()["refresh_token"]
    with backend_killed_at_the_mint(database, monkeypatch):
        assert busy(rp.refresh(token))
    assert database("SELECT count(*) FROM refresh_tokens") == [(1,)]
    assert rp.refresh(token).status_code == 200


def test_f05_a_full_pool_is_503_and_memory_answers_on(app: Any, acme: Tenant, rp: RelyingParty) -> None:
    tokens = rp.sign_in()
    http = app.test_client()
    for path in ("jwks.json", ".well-known/openid-configuration"):
        assert http.get(f"/t/acme/{path}").status_code == 200
    release, held = threading.Event(), threading.Barrier(9)

    def hold() -> None:
        with entered(acme), transaction() as tx:
            tx.connection()
            held.wait(10)
            release.wait(20)

    threads = [threading.Thread(target=hold) for _ in range(8)]
    for thread in threads:
        thread.start()
    held.wait(10)
    try:
        began = time.monotonic()
        assert busy(rp.refresh(tokens["refresh_token"]))
        assert time.monotonic() - began < LONGEST
        assert http.get("/t/acme/jwks.json").status_code == 200
        assert http.get("/t/acme/.well-known/openid-configuration").status_code == 200
        assert http.get("/livez").status_code == 200
    finally:
        release.set()
        for thread in threads:
            thread.join(10)
    assert rp.refresh(tokens["refresh_token"]).status_code == 200


def test_f06_a_lock_is_waited_for_a_second_and_no_more(rp: RelyingParty, services: Any) -> None:
    tokens = rp.sign_in()
    with ExitStack() as stack:
        connection = stack.enter_context(closing(psycopg2.connect(services.superuser.url)))
        connection.cursor().execute("LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        assert busy(rp.refresh(tokens["refresh_token"]))
        assert 0.5 < time.monotonic() - began < LONGEST
        connection.rollback()
    assert rp.refresh(tokens["refresh_token"]).status_code == 200


def _all_backends_killed(database: Any) -> None:
    database("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'idp_app'")
    time.sleep(0.2)


def test_f01_connections_that_died_at_rest_are_replaced_unseen(
    rp: RelyingParty, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = rp.sign_in()
    _all_backends_killed(database)
    monkeypatch.setattr(vault_database, "_ASK_AFTER", 0.0)
    assert rp.userinfo(tokens["access_token"]).status_code == 200


def test_f01_connections_that_died_in_use_cost_one_answer_and_no_more(
    rp: RelyingParty, database: Any
) -> None:
    tokens = rp.sign_in()
    _all_backends_killed(database)
    answers = [rp.userinfo(tokens["access_token"]) for _ in range(4)]
    assert all(answer.status_code == 200 or busy(answer) for answer in answers)
    assert [answer.status_code for answer in answers[1:]] == [200] * 3


def _everyone(pid: int) -> list[int]:
    """A process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _everyone(int(child)))]


def test_f33_a_postgres_that_says_nothing_any_more_is_given_up(
    app: Any, rp: RelyingParty, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = rp.sign_in()
    assert app.test_client().get("/t/acme/jwks.json").status_code == 200
    monkeypatch.setattr(stalled, "LONGEST", 1.0)
    frozen = _everyone(services.postgres.child.pid)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert busy(rp.refresh(tokens["refresh_token"]))
        assert app.test_client().get("/t/acme/jwks.json").status_code == 200
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: rp.userinfo(tokens["access_token"]).status_code == 200)
    assert rp.refresh(tokens["refresh_token"]).status_code == 200
