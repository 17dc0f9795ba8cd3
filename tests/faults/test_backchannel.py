"""F24: the application that is to hear of a sign-out is down, hangs, or fails. Tried again, bounded, nobody waits."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from idp import outbound
from idp.control import messages
from idp.jobs import worker
from idp.store.durable import outbox as rows
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, party
from tests.playing import RelyingParty, relying_party
from tests.receiving import Receiver, receiver
from tests.running import TOP, environment
from tests.serving import free
from tests.spec.certification.leaving import leave, signed_in

DUE = "UPDATE outbox SET locked_until = now() - interval '1 second', run_after = now() - interval '1 second'"
OLD = "UPDATE outbox SET created_at = now() - interval '25 hours', run_after = now() - interval '1 second'"


@pytest.fixture
def listening() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def rp(app: Any, acme: Tenant, listening: Receiver) -> RelyingParty:
    change(acme, "web", backchannel_logout_uri=f"{listening.base}/out")
    return relying_party(app, acme)


def problems(tenant: Tenant) -> list[tuple[str, str | None]]:
    """What operators see: each message's state and what went wrong last."""
    with entered(tenant):
        return [(row["state"], row["problem"]) for row in messages.list_()]


@pytest.mark.parametrize("fault", ["down", "fails"])
def test_f24_it_is_tried_again_until_it_works(
    rp: RelyingParty, acme: Tenant, listening: Receiver, database: Any, fault: str
) -> None:
    if fault == "down":
        change(acme, "web", backchannel_logout_uri=f"http://localhost:{free()}/out")
    listening.status = 500
    for _ in range(3):
        leave(rp, signed_in(rp)[0])
    worker.once()
    seen = "resting: no connection" if fault == "down" else "resting: answered 500"
    assert problems(acme) == [("waiting", seen)] * 3, "all wait after one try"
    assert len(listening.posts) == (0 if fault == "down" else 1)
    worker.once()
    assert len(listening.posts) == (0 if fault == "down" else 1), "its rest is kept"
    listening.status = 204
    change(acme, "web", backchannel_logout_uri=f"{listening.base}/out")
    leave(rp, signed_in(rp)[0])
    worker.once()
    assert problems(acme) == [], "one that is taken tells that somebody is there again"
    assert len({rp.verified(token, "web")["sid"] for token in listening.tokens}) == 4


def test_f24_after_a_day_it_is_given_up_where_everyone_sees_it(
    rp: RelyingParty, acme: Tenant, listening: Receiver, database: Any
) -> None:
    listening.status = 500
    for _ in range(2):
        leave(rp, signed_in(rp)[0])
    database(OLD)
    worker.once()
    assert problems(acme) == [("given up", "answered 500")] * 2
    [(facts,)] = database("SELECT facts FROM audit_log WHERE event = 'message.given_up'")
    assert facts["count"] == 2 and facts["why"] == "answered 500"
    listening.status = 200
    with entered(acme):
        assert messages.put_back() == 2
    worker.once()
    assert problems(acme) == [] and len(listening.posts) == 3


def test_f24_nobody_waits_for_one_that_hangs(
    app: Any, rp: RelyingParty, acme: Tenant, listening: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one who signs out is through at once, the others are told while it hangs, and it is hung up on."""
    listening.hold = threading.Event()
    with receiver() as well:
        other = client(acme, "other", secret="o" * 40, backchannel_logout_uri=f"{well.base}/out")
        second = party(app, acme, other, "o" * 40)
        browser, _ = signed_in(rp)
        second.exchange(second.authorize(browser).code)
        leave(rp, browser)
        assert rp.authorize(browser, prompt="none").params["error"] == "login_required"
        assert not listening.came.is_set() and not well.came.is_set(), "the request told nobody itself"
        working = threading.Thread(target=worker.once)
        working.start()
        assert well.came.wait(30) and listening.came.wait(30)
        assert working.is_alive(), "one still hangs"
        working.join(outbound.SECONDS + 25)
        assert not working.is_alive() and problems(acme) == [("waiting", "resting: no answer in time")]


def test_f24_f15_a_worker_that_is_killed_while_it_tells_leaves_it_to_the_next(
    services: Any, rp: RelyingParty, acme: Tenant, listening: Receiver, database: Any
) -> None:
    listening.hold = threading.Event()
    leave(rp, signed_in(rp)[0])
    given = {
        f"IDP_{name.upper()}": str(getattr(services.settings, name))
        for name in ("env", "home", "keys", "base_url", "database_url", "redis_url")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "idp.cli", "worker"],
        cwd=TOP, env=environment(**given), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert listening.came.wait(60)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    listening.hold.set()
    listening.hold = None
    worker.once()
    assert len(listening.posts) == 1 and len(problems(acme)) == 1, "it is held for the one that died"
    database(DUE)
    worker.once()
    first, second = (rp.verified(token, "web") for token in listening.tokens)
    assert first["sid"] == second["sid"] and first["jti"] != second["jti"] and problems(acme) == []


def test_f24_a_sign_out_stands_without_any_worker(
    rp: RelyingParty, acme: Tenant, listening: Receiver
) -> None:
    listening.hold = threading.Event()
    for _ in range(5):
        begun = time.monotonic()
        browser, _ = signed_in(rp)
        leave(rp, browser)
        assert time.monotonic() - begun < 30
        assert rp.authorize(browser, prompt="none").params["error"] == "login_required"
    with entered(acme):
        assert rows.waiting() == 5 and listening.posts == []
