"""CIBA Core 1.0 §7.1 and §13, `user_code`: who has set an approval code is asked by nobody who does not know it."""

from typing import Any

import pytest

from idp.control import users
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, change, events, policy, refused
from tests.playing import RelyingParty
from tests.spec.ciba.asking import asks, begun, service
from tests.visiting import Person, at_account

CODE = "fox-hen 2468"


@pytest.fixture
def bank(app: Any, acme: Tenant) -> RelyingParty:
    return service(app, acme, backchannel_user_code_parameter=True)


def at_page(app: Any, acme: Tenant, username: str = "alice") -> Person:
    return at_account(app, acme, username, "account/approval-code")


def coded(app: Any, acme: Tenant, code: str = CODE) -> Person:
    """Alice, who has set a code."""
    person = at_page(app, acme).submit(code=code, action="keep")
    assert person.at == "account/security" and "Your approval code is set." in person.html
    return person


def test_4_clients_register_for_it(app: Any, acme: Tenant, bank: RelyingParty) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert document["backchannel_user_code_parameter_supported"] is True
    other = service(app, acme, "other")
    refused(asks(other, user_code=CODE), "invalid_request")
    assert asks(other).status_code == 200, "who has none is asked as before"


def test_7_1_the_code_is_needed_and_must_be_right(
    app: Any, acme: Tenant, bank: RelyingParty, database: Any
) -> None:
    refused(asks(bank, user_code=CODE), "invalid_user_code")
    coded(app, acme)
    refused(asks(bank), "missing_user_code")
    for wrong in (CODE[:-1], CODE.upper(), "x" * 2_000, "\u00e4\u00f6\u00fc\u00df12"):
        refused(asks(bank, user_code=wrong), "invalid_user_code")
    assert events(database, acme, "approval_code.failed") >= 3
    asking = begun(bank, user_code=CODE)
    asking.answered()
    assert asking.poll().status_code == 200
    assert begun(bank, login_hint="bob").handle, "another person's requests need none"


def test_13_no_client_gets_round_it_by_not_knowing_the_parameter(app: Any, acme: Tenant) -> None:
    rp = service(app, acme)
    coded(app, acme)
    refused(asks(rp), "missing_user_code")
    refused(asks(rp, user_code=CODE), "invalid_request")
    change(acme, "bank", backchannel_user_code_parameter=True)
    assert asks(rp, user_code=CODE).status_code == 200


def test_df08_who_is_disabled_is_unknown_whatever_their_code(
    app: Any, acme: Tenant, bank: RelyingParty
) -> None:
    coded(app, acme)
    with entered(acme):
        users.suspend("alice")
    answers = {asks(bank, user_code=code).get_data() for code in (CODE, "another", None)}
    assert len(answers | {asks(bank, login_hint="nobody", user_code=CODE).get_data()}) == 1


def test_bf06_a_code_is_not_guessed_through(app: Any, acme: Tenant) -> None:
    policy(acme, user_code_failures=3, second_factor_failures_daily=5)
    coded(app, acme)
    first = service(app, acme, "first", backchannel_user_code_parameter=True)
    second = service(app, acme, "second", backchannel_user_code_parameter=True)
    found = [asks(first, user_code=f"wrong {n}").status_code for n in range(4)]
    assert found == [400, 400, 400, 429]
    assert asks(first, user_code=CODE).status_code == 429, "the right one no longer counts from there"
    found = [asks(second, user_code=f"wrong {n}").status_code for n in range(3)]
    assert found == [400, 400, 429], "of a day, from all clients together"
    assert asks(first, login_hint="bob").status_code == 200


def test_bf04_many_at_once_count_each(app: Any, acme: Tenant) -> None:
    policy(acme, user_code_failures=5)
    bank = service(app, acme, backchannel_user_code_parameter=True)
    coded(app, acme)
    found = [each.status_code for each in at_once(THREADS, lambda n: asks(bank, user_code=f"wrong {n}"))]
    assert found.count(400) <= 5 and set(found) <= {400, 429, 503}


def test_the_page_sets_changes_and_removes(app: Any, acme: Tenant, bank: RelyingParty, database: Any) -> None:
    person = at_account(app, acme, path="account/security")
    assert "Approval code" in person.html
    person.open("account/approval-code")
    assert "Set an approval code" in person.html
    for short in ("", "12345", "111111", "x" * 65, "a\tbcdef"):
        person.submit(code=short, action="keep")
        assert person.at == "account/approval-code" and 'id="form-error"' in person.html, short
        assert not short or short not in person.html, "no code is ever shown"
    assert "is set" in person.submit(code=CODE, action="keep").html
    kept = database("SELECT secret FROM credentials WHERE kind = 'user_code'")
    assert len(kept) == 1 and kept[0][0].startswith("$argon2id$") and CODE not in str(kept)
    person.open("account/approval-code").submit(code="other 1357", action="keep")
    refused(asks(bank, user_code=CODE), "invalid_user_code")
    assert asks(bank, user_code="other 1357").status_code == 200
    person.open("account/approval-code").submit(action="remove")
    assert person.at == "account/security" and "is removed" in person.html
    assert asks(bank).status_code == 200
    for name, times in (("approval_code.set", 2), ("approval_code.removed", 1)):
        assert events(database, acme, name) == times
    history = person.open("account/history").html
    assert "You set an approval code" in history and "You removed your approval code" in history


def test_the_page_is_not_named_where_nobody_asks(app: Any, acme: Tenant) -> None:
    assert "Approval code" not in at_account(app, acme, path="account/security").html


def test_a_code_is_its_tenants_own(app: Any, twins: tuple[Tenant, Tenant], bank: RelyingParty) -> None:
    coded(app, twins[0])
    abroad = service(app, twins[1], backchannel_user_code_parameter=True)
    assert asks(abroad).status_code == 200
    refused(asks(abroad, user_code=CODE), "invalid_user_code")


def test_it_signs_nobody_in(app: Any, acme: Tenant) -> None:
    coded(app, acme)
    person = Person(app, acme).open("account").sign_in("alice", CODE)
    assert person.at == "interaction/login" and 'id="form-error"' in person.html
