"""Postgres stopped in the middle of its work (F33): it takes connections and never answers one."""

import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from idp import clock, directory, lanes, throttle
from idp.store import stalled
from idp.store.database import Unavailable, outside, transaction
from idp.tenants import Tenant, entered
from tests.playing import RelyingParty, relying_party
from tests.running import up, within

HANGING = 15.0
"""Seconds after which an answer is taken for one that would never have come."""


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A Postgres and all its processes stopped, until the end of the block."""
    everyone = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in everyone:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in everyone:
            os.kill(process.pid, signal.SIGCONT)


def busy(answer: Any) -> bool:
    """Whether an answer is 503 with a time to come back after."""
    return bool(answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1)


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    """Acme's client `web`."""
    throttle.forget()
    return relying_party(app, acme)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often each thread has begun to wait for Postgres."""
    found: Counter[int] = Counter()
    waited = stalled._waited

    def noted(line: Any, *call: Any) -> None:
        found[threading.get_ident()] += 1
        waited(line, *call)

    monkeypatch.setattr(stalled, "_waited", noted)
    return found


def test_f33_many_at_once_are_bounded_and_those_after_them_do_not_wait(
    app: Any, rp: RelyingParty, services: Any, waits: Counter[int]
) -> None:
    tokens = [rp.sign_in() for _ in range(2)]
    nightly = relying_party(app, rp.tenant, "nightly")
    assert nightly.post("token", {"grant_type": "client_credentials"}).status_code == 200
    assert app.test_client().get("/t/acme/jwks.json").status_code == 200
    answers: list[Any] = []
    asking = [
        lambda: rp.refresh(tokens[0]["refresh_token"]),
        lambda: rp.userinfo(tokens[1]["access_token"]),
        lambda: rp.authorize(rp.browser()).answer,
        lambda: app.test_client().get("/t/acme/.well-known/openid-configuration"),
    ]
    threads = [threading.Thread(target=lambda ask=ask: answers.append(ask())) for ask in asking * 3]
    with frozen(services.postgres.child.pid):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANGING)
        assert not any(thread.is_alive() for thread in threads)
        assert {answer.status_code for answer in answers} <= {200, 303, 503}
        assert within(HANGING, directory.away)
        waits.clear()
        refused = [_refused(rp, nightly, app) for _ in range(20)]
        assert sum(refused) >= 3 * 20 - 6  # but for the one attempt that a request may make for all
        assert waits[threading.get_ident()] <= 6
    assert within(HANGING, lambda: rp.userinfo(tokens[1]["access_token"]).status_code == 200)
    assert within(
        HANGING, lambda: nightly.post("token", {"grant_type": "client_credentials"}).status_code == 200
    )
    assert within(HANGING, directory.fresh)
    assert not directory.away()


def _refused(rp: RelyingParty, nightly: RelyingParty, app: Any) -> int:
    """How many of three things that need Postgres were answered busy; keys are had all the same."""
    assert app.test_client().get("/t/acme/jwks.json").status_code == 200
    answers = [
        nightly.post("token", {"grant_type": "client_credentials"}),
        rp.authorize(rp.browser()).answer,
        app.test_client().get("/t/not-heard-of/jwks.json"),
    ]
    return sum(map(busy, answers))


def test_f33_documents_that_are_due_are_served_as_they_were(
    app: Any, rp: RelyingParty, services: Any, waits: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    http = app.test_client()
    known = http.get("/t/acme/jwks.json").get_data()
    with frozen(services.postgres.child.pid):
        assert within(HANGING, directory.away)
        monkeypatch.setattr("idp.web.fast.KEEP", 0.0)
        later = clock.monotonic() + 1000
        monkeypatch.setattr("idp.web.fast.clock.monotonic", lambda: later)
        waits.clear()
        for _ in range(5):
            answer = http.get("/t/acme/jwks.json")
            assert answer.status_code == 200 and answer.get_data() == known
        assert waits[threading.get_ident()] == 0
    monkeypatch.undo()
    assert within(HANGING, directory.fresh)


def test_f33_a_connection_at_rest_and_a_commit_are_given_up_too(
    services: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.store.database._ASK_AFTER", 0.0)
    with entered(acme), transaction() as tx:
        tx.connection().exec_driver_sql("SELECT 1")
    with frozen(services.postgres.child.pid):
        with pytest.raises(Unavailable), outside() as connection:
            connection.exec_driver_sql("SELECT 1")
        assert within(HANGING, directory.away)
    assert within(HANGING, directory.fresh)
    halt = frozen(services.postgres.child.pid)
    began = time.monotonic()
    with pytest.raises(Unavailable), entered(acme), transaction() as tx:
        tx.connection().exec_driver_sql("SELECT pg_current_xact_id()")
        halt.__enter__()
    halt.__exit__(None, None, None)
    assert time.monotonic() - began < HANGING
    assert within(HANGING, directory.fresh)


def test_f06_who_waits_for_postgres_is_in_nobodys_lane(acme: Tenant) -> None:
    before = lanes._free
    lanes.open_(1)
    ran, asleep = threading.Event(), threading.Event()

    def waiting() -> None:
        with lanes.taken(), entered(acme), transaction() as tx:
            connection = tx.connection()
            asleep.set()
            connection.exec_driver_sql("SELECT pg_sleep(1.5)")
            assert ran.is_set()
            found.append(True)

    found: list[bool] = []
    thread = threading.Thread(target=waiting)
    thread.start()
    try:
        assert asleep.wait(HANGING)
        with lanes.taken():
            ran.set()
        thread.join(HANGING)
        assert found == [True]
    finally:
        lanes._free = before


def _ask(port: int, path: str) -> tuple[int, str | None]:
    with closing(http.client.HTTPConnection("localhost", port, timeout=HANGING)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Retry-After")


def test_f33_over_http_keys_are_served_while_others_wait(tmp_path: Path) -> None:
    path = "/t/acme/jwks.json"
    with up(tmp_path / "home", "--blueprint", str(Path(__file__).parents[1] / "twins.yaml")) as running:
        running.wait_ready()
        assert within(HANGING, lambda: _ask(running.port, path)[0] == 200)
        postgres = next(each for each in running.family() if "postgres" in each.name() and each.children())
        found: list[tuple[int, str | None]] = []
        with frozen(postgres.pid):
            threads = [
                threading.Thread(
                    target=lambda n=n: found.append(_ask(running.port, f"/t/nobody-{n}/jwks.json"))
                )
                for n in range(12)
            ]
            for thread in threads:
                thread.start()
            assert _ask(running.port, path)[0] == 200
            for thread in threads:
                thread.join(HANGING)
            assert found == [(503, "1")] * 12
            assert _ask(running.port, path)[0] == 200
        assert within(HANGING, lambda: _ask(running.port, "/t/nobody/jwks.json")[0] == 404)
