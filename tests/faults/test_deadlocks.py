"""Real deadlocks in Postgres (F08): the whole transaction is run anew, three times at most, then 503."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest

from idp import throttle
from idp.store import database as vault_database
from idp.store.durable import sessions as session_store
from idp.store.durable import users
from idp.tenants import Tenant
from tests.playing import RelyingParty, relying_party
from tests.running import counted, within


class Opponent:
    """Another session that holds what ours is about to want, and wants what ours holds."""

    def __init__(self, database: Any, holds: str, wants: str) -> None:
        self.database, self.holds, self.wants, self.met = database, holds, wants, 0

    def meet(self) -> None:
        """Lock, then wait for our lock in a thread of its own; back once it waits."""
        self.met += 1
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._fight)
        self.thread.start()
        assert self.ready.wait(10)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert within(10, lambda: self.database(waiting) != [(0,)])

    def _fight(self) -> None:
        with closing(psycopg2.connect(self.database.url)) as connection, connection.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '30s'")  # it is ours that finds the deadlock, and gives up
            cursor.execute(f"SELECT 1 FROM {self.holds} FOR UPDATE")
            self.ready.set()
            cursor.execute(f"SELECT 1 FROM {self.wants} FOR UPDATE")
            connection.rollback()


@contextmanager
def fought(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, opponent: Opponent, times: int
) -> Iterator[None]:
    """The opponent arrives before each of the first `times` calls of `module.name`."""
    real: Callable[..., Any] = getattr(module, name)

    def met(*args: Any, **kwargs: Any) -> Any:
        if opponent.met < times:
            opponent.meet()
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, met)
        yield
    opponent.thread.join(10)
    assert not opponent.thread.is_alive()


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    """Acme's client `web`."""
    throttle.forget()
    return relying_party(app, acme)


def test_f08_a_refresh_in_a_deadlock_is_run_anew_and_rotates_once(
    rp: RelyingParty, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = rp.sign_in()["refresh_token"]
    opponent, before = Opponent(database, "users", "refresh_tokens"), counted("transactions_repeated_total")
    with fought(monkeypatch, users, "held", opponent, 2):
        answer = rp.refresh(token)
    assert answer.status_code == 200 and opponent.met == 2
    assert counted("transactions_repeated_total") == before + 2
    assert database("SELECT count(*), count(consumed_at) FROM refresh_tokens") == [(2, 1)]
    assert database("SELECT count(*) FROM audit_log WHERE event = 'token.refreshed'") == [(1,)]
    assert rp.refresh(answer.get_json()["refresh_token"]).status_code == 200


def test_f08_a_code_in_a_deadlock_becomes_tokens_once(
    rp: RelyingParty, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = rp.authorize().login("alice").code
    opponent = Opponent(database, "clients", "users")
    from idp.oauth import redeeming

    with fought(monkeypatch, redeeming.grants, "client_stands", opponent, 1):
        answer = rp.redeem(code)
    assert answer.status_code == 200 and opponent.met == 1
    assert database("SELECT count(*) FROM grants") == [(1,)]
    assert rp.redeem(code).status_code == 400  # and its replay revokes what it became
    assert rp.userinfo(answer.get_json()["access_token"]).status_code == 401


def test_f08_a_sign_in_in_a_deadlock_makes_one_session_and_one_code(
    rp: RelyingParty, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = rp.authorize()
    opponent = Opponent(database, "clients", "users")
    with fought(monkeypatch, session_store, "use", opponent, 1):
        page.login("alice")
    assert opponent.met == 1 and rp.exchange(page.code)
    assert database("SELECT count(*) FROM sessions") == [(1,)]
    assert database("SELECT count(*) FROM audit_log WHERE event = 'session.started'") == [(1,)]


def test_f08_three_deadlocks_in_a_row_are_503_and_nothing_is_spent(
    rp: RelyingParty, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, page = rp.sign_in(), rp.authorize()
    fights = (
        (users, "held", "users", "refresh_tokens", lambda: rp.refresh(tokens["refresh_token"])),
        (session_store, "use", "clients", "users", lambda: page.login("alice").answer),
    )
    for module, name, holds, wants, act in fights:
        opponent = Opponent(database, holds, wants)
        with fought(monkeypatch, module, name, opponent, vault_database.TRIES):
            answer = act()
        assert opponent.met == vault_database.TRIES
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
    assert rp.refresh(tokens["refresh_token"]).status_code == 200
    page.answer = page.browser.get(page.page)
    assert page.login("alice").code
