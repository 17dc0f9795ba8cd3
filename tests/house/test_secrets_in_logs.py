"""No secret that is issued or presented on the way of a person is written to a log, a refusal or an audit row."""

import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from idp import journal, logs
from idp.store.context import Signer
from idp.store.database import transaction
from idp.store.ephemeral import codes
from idp.tenants import Tenant
from tests.playing import PASSWORDS, inputs, relying_party

WRONG = "tell-nobody-this-password-1234567890"
JUNK = "idp_rt_" + "J" * 43 + "00000000"


class Lines(logging.Handler):
    """Every record of every logger, before anything formats or redacts it."""

    def __init__(self) -> None:
        """Empty at first."""
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what the record says, its arguments and its exception."""
        formatted = (
            logging.Formatter().format(record) if not isinstance(record.msg, dict) else str(record.msg)
        )
        self.lines.append(f"{record.name} {formatted} {record.exc_info[1] if record.exc_info else ''}")


@pytest.fixture
def lines() -> Iterator[Lines]:
    """All loggers at DEBUG, as `idp serve` sets them up, and one more that listens."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.setup("DEBUG")
    listening = Lines()
    root.addHandler(listening)
    try:
        yield listening
    finally:
        root.handlers[:] = before
        root.setLevel(level)


class Known:
    """Secrets by what they are."""

    def __init__(self) -> None:
        """None at first."""
        self.secrets: dict[str, str] = {}

    def add(self, name: str, value: str | None) -> None:
        """Remember one, in the forms in which it might be written."""
        assert value, name
        self.secrets[f"{name} {len(self.secrets)}"] = value
        if value != unquote(value):
            self.secrets[f"{name} decoded {len(self.secrets)}"] = unquote(value)

    def found_in(self, text: str) -> list[str]:
        """Which of them a text holds; of a JWT its signature is looked for as well."""
        return [
            name
            for name, value in self.secrets.items()
            if value in text or (value.count(".") == 2 and value.rpartition(".")[2] in text)
        ]


def cookies(browser: Any) -> list[str]:
    """The values of a browser's cookies."""
    return [cookie.value for cookie in browser._cookies.values() if len(cookie.value) > 15]


def journey(app: Any, acme: Tenant, known: Known) -> None:
    """A person and a relying party do what they do, and much of it wrongly."""
    rp = relying_party(app, acme)
    known.add("client secret", rp.secret)
    known.add("password", PASSWORDS["acme", "alice"])
    known.add("wrong password", WRONG)
    known.add("junk", JUNK)
    browser = rp.browser()
    visit = rp.authorize(browser)
    known.add("csrf", inputs(visit.html).get("csrf") or next(iter(inputs(visit.html).values())))
    visit.login("alice", WRONG)
    visit.login("alice")
    known.add("code", visit.code)
    known.add("verifier", rp.verifier)
    for value in cookies(browser):
        known.add("cookie", value)
    tokens = rp.exchange(visit.code)
    _use(rp, tokens, known)
    rp.redeem(visit.code)
    burned = rp.authorize(browser).code
    known.add("code", burned)
    assert rp.redeem(burned, code_verifier="v" * 43).status_code == 400
    hint = f"/t/acme/logout?id_token_hint={tokens['id_token']}"
    page = browser.get(hint).get_data(as_text=True)
    browser.post("/t/acme/logout/confirm", data={**inputs(page), "action": "confirm"})


def _use(rp: Any, tokens: dict[str, Any], known: Known) -> None:
    for name in ("access_token", "id_token", "refresh_token"):
        known.add(name, tokens[name])
    following = rp.refresh(tokens["refresh_token"]).get_json()
    for name in ("access_token", "id_token", "refresh_token"):
        known.add(name, following[name])
    rp.refresh(JUNK)
    rp.userinfo(tokens["access_token"])
    rp.userinfo(tokens["id_token"])
    rp.userinfo(JUNK)
    for token in (tokens["access_token"], following["refresh_token"], JUNK, PASSWORDS["acme", "alice"]):
        rp.introspect(token)
    rp.app.test_client().get(f"/t/acme/userinfo?access_token={tokens['access_token']}")
    rp.app.test_client().get(f"/t/acme/{JUNK}")
    rp.post(
        "token", {"grant_type": JUNK, "password": WRONG, "client_secret": str(rp.secret)}, authenticated=False
    )
    wrong = relying_party(rp.app, rp.tenant)
    wrong.secret = WRONG
    wrong.post("token", {"grant_type": "client_credentials"})
    rp.post("revoke", {"token": following["refresh_token"]})
    assert rp.refresh(following["refresh_token"]).status_code == 400


def deployment(settings: Any, known: Known) -> None:
    """The passwords of the servers."""
    for name in ("database_url", "ops_database_url", "migrator_database_url", "redis_url"):
        known.add(name, urlsplit(getattr(settings, name)).password)


def test_au03_a_whole_journey_at_debug_writes_no_secret(
    app: Any,
    acme: Tenant,
    database: Any,
    vault: Any,
    lines: Lines,
    capfd: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, contexts = Known(), []
    sign = Signer.sign
    monkeypatch.setattr(
        Signer, "sign", lambda self, tenant: contexts.append(sign(self, tenant)) or contexts[-1]
    )
    deployment(vault, known)
    journey(app, acme, known)
    journal.flush()
    for context in contexts[:3] + contexts[-3:]:
        known.add("context", context)
    assert len(known.secrets) > 20
    out, err = capfd.readouterr()
    written = [*lines.lines, *out.splitlines(), *err.splitlines()]
    assert any("request" in line for line in written)
    for line in written:
        assert known.found_in(line) == [], line
    for table in ("audit_log", "refusals", "activity", "outbox"):
        for (row,) in database(f"SELECT t::text FROM {table} t"):
            assert known.found_in(row) == [], f"{table}: {row}"


def test_au03_an_error_in_the_middle_writes_no_secret(
    app: Any, acme: Tenant, lines: Lines, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Known()
    rp = relying_party(app, acme)
    code = rp.authorize().login("alice").code

    def broken(code: str) -> None:
        raise RuntimeError("something else is wrong")

    for name, value in (("code", code), ("client secret", rp.secret), ("verifier", rp.verifier)):
        known.add(name, value)
    with monkeypatch.context() as patch:
        patch.setattr(codes, "burn", broken)
        answer = rp.redeem(code)
    assert answer.status_code == 500 and known.found_in(answer.get_data(as_text=True)) == []
    assert any("something else is wrong" in line for line in lines.lines)
    out, err = capfd.readouterr()
    for line in [*lines.lines, *out.splitlines(), *err.splitlines()]:
        assert known.found_in(line) == [], line


def test_au03_an_error_of_postgres_does_not_carry_what_was_asked_with(in_acme: Tenant) -> None:
    with pytest.raises(Exception, match="division") as told, transaction() as tx:
        tx.connection().exec_driver_sql("SELECT 1 / 0, %s", (WRONG,))
    assert WRONG not in str(told.value) and WRONG not in repr(told.value)


def test_the_journey_knows_its_own_secrets() -> None:
    known = Known()
    known.add("jwt", "aaa.bbb.signature")
    known.add("password", "correct%20horse")
    assert known.found_in("the signature alone") and known.found_in("correct horse")
    assert not known.found_in("nothing")
