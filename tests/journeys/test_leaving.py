"""Taking one's data along, and leaving: out at once, back within the days of grace, gone after them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from idp import audit, config
from idp.accounts import leaving, sessions
from idp.config import Settings
from idp.control import help_desk, users
from idp.errors import Conflict
from idp.store.durable import audit_log, links
from idp.store.durable import users as user_rows
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, events, policy
from tests.attacks.factoring import with_app, with_passkey
from tests.mailing import Sink, link, sink, text
from tests.playing import inputs, relying_party
from tests.visiting import Person, at_account


@pytest.fixture(autouse=True)
def server(vault: Settings, database: Any) -> Iterator[Sink]:
    """A mail server, and a deployment that knows it."""
    with sink() as taken:
        config.use(vault.with_(smtp_url=taken.url, mail_from="no-reply@id.example.com"))
        yield taken
    config.use(vault)


def test_a_copy_has_all_that_is_ones_own_and_no_secret(
    app: Any, acme: Tenant, globex: Tenant, database: Any
) -> None:
    rp = relying_party(app, acme, "asks")
    rp.exchange(rp.authorize().login("alice").consent().code)
    at_account(app, acme, "bob")
    at_account(app, globex)
    person = at_account(app, acme, path="account/data").submit(action="download")
    assert person.answer.mimetype == "application/json"
    assert person.answer.headers["Content-Disposition"] == 'attachment; filename="acme-account.json"'
    copy = json.loads(person.html)
    assert (
        copy["username"] == "alice"
        and copy["claims"]["name"] == "Alice Adams"
        and copy["issuer"] == acme.issuer
    )
    assert {each["client_id"] for each in copy["applications"]} == {"asks"} and len(copy["sessions"]) == 2
    assert "session.started" in {each["event"] for each in copy["history"]} and "127.0.0.1" in person.html
    for secret in ("bob", "argon2", "Globex", person.browser.get_cookie("idp_acme_session").value):
        assert secret not in person.html
    assert events(database, acme, "data.copied") == 1


def test_a_copy_tells_of_ways_to_sign_in_and_nothing_of_operators(app: Any, acme: Tenant) -> None:
    with_app(acme)
    with_passkey(acme)
    with (
        entered(acme),
        audit.acting(audit.Actor("operator", "carol@desk", reason="ticket 7: a jealous colleague")),
    ):
        users.update("alice", {"name": "Alice Ames"})
        copy = leaving.copy(users.show("alice"))
    assert copy["authenticator"]["created_at"] and len(copy["passkeys"]) == 1
    assert copy["identities"] == copy["remembered_devices"] == []
    [changed] = [each for each in copy["history"] if each["event"] == "user.updated"]
    assert changed["actor"] == {"kind": "operator"}
    for other in ("carol", "ticket", "JBSW", "credential"):
        assert other not in json.dumps(copy)


def test_both_need_a_fresh_sign_in(app: Any, acme: Tenant, frozen: Any) -> None:
    with frozen() as clock:
        person = at_account(app, acme, path="account/data")
        form = inputs(person.html)
        clock.tick(timedelta(seconds=sessions.FRESH))
        for action in ("download", "delete"):
            answer = person.browser.post(
                "/t/acme/account/data", data={**form, "action": action, "confirm": "alice@example.com"}
            )
            assert answer.status_code == 303 and "/interaction/login" in answer.headers["Location"]
    with entered(acme):
        alice = user_rows.by_username("alice")
        assert alice is not None and alice.active


def left(app: Any, tenant: Tenant, server: Sink) -> str:
    """Alice has left; the path of the link that keeps her account."""
    person = at_account(app, tenant, path="account/data")
    for wrong in ("", "alice", "bob@example.com"):
        assert "to confirm" in person.submit(action="delete", confirm=wrong).html
    person.submit(action="delete", confirm=" Alice@example.com ")
    assert "Your account ends" in person.html and person.browser.get_cookie("idp_acme_session") is None
    [mail] = server.deliver()
    assert str(mail["To"]) == "alice@example.com" and "14 days" in text(mail)
    return link(mail).removeprefix(tenant.issuer + "/")


def test_whoever_leaves_is_out_at_once_and_may_come_back(
    app: Any, acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    rp = relying_party(app, acme)
    tokens = rp.sign_in("alice")
    elsewhere = at_account(app, acme)
    path = left(app, acme, server)
    assert elsewhere.open("account").at == "interaction/login"
    assert 'id="form-error"' in elsewhere.sign_in().html
    assert rp.refresh(tokens["refresh_token"]).status_code == 400
    assert rp.introspect(tokens["access_token"]) == {"active": False}
    assert Person(app, globex).open(path).answer.status_code == 400
    assert at_account(app, globex).at == "account"
    for _ in range(2):
        person = Person(app, acme).open(path)
        assert "Keep your account?" in person.html
    assert "Your account stays" in person.submit(action="keep-account").html
    assert at_account(app, acme).at == "account"
    assert Person(app, acme).open(path).answer.status_code == 400
    assert events(database, acme, "user.left") == events(database, acme, "user.kept") == 1


def test_after_the_days_of_grace_nothing_is_left_but_the_record(
    app: Any, acme: Tenant, globex: Tenant, server: Sink, frozen: Any
) -> None:
    with frozen() as clock:
        with entered(acme):
            alice = user_rows.by_username("alice")
            assert alice is not None
            path = leaving.leave(alice, audit.Actor("user", str(alice.id))).removeprefix(acme.issuer + "/")
            assert leaving.carry_out() == 0
        with entered(globex):
            assert leaving.carry_out() == 0
        clock.tick(timedelta(seconds=acme.policy.deletion_grace) - timedelta(seconds=1))
        assert "Keep your account?" in Person(app, acme).open(path).html
        clock.tick(timedelta(seconds=1))
        assert Person(app, acme).open(path).answer.status_code == 400
        with entered(globex):
            assert leaving.carry_out() == 0
        with entered(acme):
            assert leaving.carry_out() == 1 and leaving.carry_out() == 0
            assert user_rows.by_id(alice.id) is None
            rows = audit_log.of_person(alice.id, ["user.left", "user.deleted"])
            assert [row.event for row in rows] == ["user.deleted", "user.left"]
        with entered(globex):
            assert user_rows.by_username("alice") is not None


def test_whom_an_operator_brought_back_is_not_deleted(
    app: Any, acme: Tenant, server: Sink, frozen: Any
) -> None:
    with frozen() as clock:
        with entered(acme):
            link_ = users.leave("alice")
            users.resume("alice")
            assert links.expired_of("keep", audit.clock.now() + timedelta(days=90)) == ()
        assert Person(app, acme).open(link_.removeprefix(acme.issuer + "/")).answer.status_code == 400
        clock.tick(timedelta(days=91))
        with entered(acme):
            assert leaving.carry_out() == 0 and user_rows.by_username("alice") is not None


def test_one_of_many_keeps_it(app: Any, acme: Tenant, database: Any) -> None:
    with entered(acme):
        path = users.leave("alice").removeprefix(acme.issuer + "/")
    people = [Person(app, acme).open(path) for _ in range(THREADS)]
    answers = at_once(THREADS, lambda number: people[number].submit(action="keep-account").answer.status_code)
    assert answers.count(200) == 1, answers
    assert events(database, acme, "user.kept") == 1


def test_a_tenant_may_keep_that_to_itself(app: Any, acme: Tenant) -> None:
    tenant = policy(acme, deletion_grace=0)
    person = at_account(app, tenant, path="account/data")
    assert "Delete" not in person.html
    assert person.submit(action="delete", confirm="alice@example.com").at == "account/data"
    assert at_account(app, tenant).at == "account"
    with entered(tenant):
        with pytest.raises(Conflict):
            users.leave("alice")
        assert users.show("alice").active and leaving.carry_out() == 0


def test_who_is_suspended_does_not_leave_and_who_has_left_can_be_suspended(
    app: Any, acme: Tenant, database: Any, frozen: Any
) -> None:
    """A link of the person's must not undo what an operator did."""
    with frozen() as clock:
        with entered(acme):
            users.suspend("bob")
            with pytest.raises(Conflict):
                users.leave("bob")
            path = users.leave("alice").removeprefix(acme.issuer + "/")
            assert "has left" in help_desk.why("alice", audit.SYSTEM)["reasons"][0]["sentence"]
            with pytest.raises(Conflict):
                users.leave("alice")
            users.suspend("alice")
            assert "suspended" in help_desk.why("alice", audit.SYSTEM)["reasons"][0]["sentence"]
        assert Person(app, acme).open(path).answer.status_code == 400
        assert events(database, acme, "user.disabled") == 2
        clock.tick(timedelta(days=91))
        with entered(acme):
            assert leaving.carry_out() == 0 and not users.show("alice").active


def test_no_link_is_promised_to_who_cannot_be_written_to(app: Any, acme: Tenant, server: Sink) -> None:
    with entered(acme):
        users.update("alice", {"email_verified": False})
    person = at_account(app, acme, path="account/data")
    assert "a link in your mail" not in person.html
    person.submit(action="delete", confirm="alice@example.com")
    assert "on its way" not in person.html and "can keep it." in person.html
    assert server.deliver() == []
