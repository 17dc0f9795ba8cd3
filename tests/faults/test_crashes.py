"""A web process killed by SIGKILL at each place where something is half done (F15): I1 to I5 hold.

The client meets a torn connection, and does what a client does: it sends the request again, to another process.
"""

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from idp import outbox
from idp.embedded import ports
from idp.prove.browser import Browser, forms
from idp.prove.visitor import Party
from idp.prove.wire import Net
from idp.tenants import Tenant
from tests.faults.crashing import PLACES
from tests.faults.invariants import Witness
from tests.playing import PASSWORDS
from tests.running import TOP, environment, within

pytestmark = pytest.mark.slow

TORN = (http.client.HTTPException, OSError)
BASE = "http://localhost"


@contextmanager
def crashing(services: Any, place: str) -> Iterator[tuple[Net, subprocess.Popen[bytes]]]:
    """A process that will die at `place`, and a visitor whose requests go there."""
    settings, port = services.settings, ports.free()
    given = {
        f"IDP_{name.upper()}": str(getattr(settings, name))
        for name in ("env", "home", "keys", "base_url", "database_url", "redis_url")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.crashing", place, str(port)],
        cwd=TOP, env=environment(**given), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    origin = f"http://127.0.0.1:{port}"

    class There(Net):
        def ask(self, *given: Any, at: str | None = None, **more: Any) -> Any:
            return super().ask(*given, at=at or origin, **more)

    def answers() -> bool:
        with suppress(*TORN), There() as net:
            return net.get(f"{BASE}/livez").status == 200
        return False

    try:
        assert within(60, lambda: answers() or process.poll() is not None)
        with There(timeout=30, per_second=500) as net:
            yield net, process
    finally:
        process.kill()
        process.wait()


def _client(net: Net) -> Party:
    secret = "acme-web-secret-0123456789-0123456789"
    return Party(
        net, f"{BASE}/t/acme", "web", "http://localhost:8001/callback", secret, scope="openid offline_access"
    )


def _torn(process: subprocess.Popen[bytes], request: Any) -> None:
    with pytest.raises(TORN):
        request()
    assert process.wait(20) == -9


@pytest.fixture
def witness(app: Any, acme: Tenant, globex: Tenant, database: Any) -> Witness:
    """Somebody who was promised things before."""
    return Witness(app, acme, globex, database)


@pytest.mark.parametrize("place", [name for name in PLACES if name.startswith("code")])
def test_f15_a_code_whose_redemption_was_killed(
    witness: Witness, services: Any, database: Any, place: str
) -> None:
    code, verifier = witness.rp.authorize().login("alice").code, witness.rp.verifier
    with crashing(services, place) as (net, process):
        rp = _client(net)
        rp.verifier = verifier
        _torn(process, lambda: rp.redeem(code))
    committed = "committed, not answered" in place
    before = database("SELECT count(*) FROM grants WHERE revoked_at IS NULL")
    again = witness.rp.redeem(code, code_verifier=verifier)
    assert again.status_code == 400 and again.get_json()["error"] == "invalid_grant"
    [(alive,)] = database("SELECT count(*) FROM grants WHERE revoked_at IS NULL")
    assert alive == before[0][0] - committed  # what the unheard answer held is revoked by the second try
    assert witness.rp.authorize().login("alice").code
    witness.check()


@pytest.mark.parametrize("place", [name for name in PLACES if name.startswith("refresh")])
def test_f15_a_refresh_that_was_killed_is_answered_at_the_second_try(
    witness: Witness, services: Any, place: str
) -> None:
    token = witness.kept[0]["refresh_token"]
    with crashing(services, place) as (net, process):
        _torn(process, lambda: _client(net).refresh(token))
    again = witness.rp.refresh(token)
    assert again.status_code == 200
    witness.kept[0] = again.get_json()
    witness.check()


@pytest.mark.parametrize("place", [name for name in PLACES if name.startswith("sign-in")])
def test_f15_a_sign_in_that_was_killed_begins_again(
    witness: Witness, services: Any, database: Any, place: str
) -> None:
    sessions = database("SELECT count(*) FROM sessions")[0][0]
    with crashing(services, place) as (net, process):
        rp, browser = _client(net), Browser(net, f"{BASE}/t/acme")
        page = rp.authorize(browser)
        assert "login-form" in forms(page)
        form = {"username": "bob", "password": PASSWORDS["acme", "bob"]}
        _torn(process, lambda: browser.submit(page, "login-form", "login-submit", **form))
    committed = "committed, not answered" in place
    assert database("SELECT count(*) FROM sessions")[0][0] == sessions + committed
    assert witness.rp.authorize().login("bob").code
    witness.check()


def test_f15_a_revocation_that_was_killed_is_made_at_the_second_try(witness: Witness, services: Any) -> None:
    witness.act()
    token = witness.kept[0]["refresh_token"]
    with crashing(services, "revocation: written") as (net, process):
        _torn(process, lambda: _client(net).revoke(token))
    witness.revoke()
    witness.check()


def test_f15_a_message_that_was_being_sent_is_sent_again(
    services: Any, in_acme: Tenant, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[dict[str, Any]] = []
    monkeypatch.setitem(outbox._handlers, "drill", lambda payload: done.append(payload) or True)
    outbox.put("drill", {"number": 1})
    script = (
        "import os, signal, sys; from uuid import UUID\n"
        "from idp import directory, outbox; from idp.config import Settings; from idp.control import installation\n"
        "with installation.opened(Settings.load()), directory.enter(UUID(sys.argv[1])):\n"
        "    outbox.handle('drill', lambda _payload: os.kill(os.getpid(), signal.SIGKILL))\n"
        "    outbox.deliver()\n"
    )
    settings = services.settings
    given = {
        f"IDP_{name.upper()}": str(getattr(settings, name))
        for name in ("env", "home", "keys", "base_url", "database_url", "redis_url")
    }
    killed = subprocess.run(
        [sys.executable, "-c", script, str(in_acme.id)],
        cwd=TOP,
        env=environment(**given),
        check=False,
        timeout=60,
    )
    assert killed.returncode == -9
    assert outbox.deliver() == 0  # it is held for the one that died
    database(
        "UPDATE outbox SET locked_until = now() - interval '1 second', run_after = now() - interval '1 second'"
    )
    assert outbox.deliver() == 1 and done == [{"number": 1}]
    assert outbox.deliver() == 0
