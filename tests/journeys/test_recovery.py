"""A forgotten password: one answer for everybody, a link that works once, and nobody signed in by it."""

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from idp import config
from idp.accounts import links
from idp.cli import user as user_command
from idp.config import Settings
from idp.control import users
from idp.errors import Invalid
from idp.jobs import worker
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, events, policy
from tests.attacks.factoring import with_app
from tests.mailing import Sink, link, sink, text
from tests.playing import inputs, relying_party
from tests.visiting import Person, at_account

NEW = "purple otter reads maps"


@pytest.fixture(autouse=True)
def server(vault: Settings, database: Any) -> Iterator[Sink]:
    """A mail server, and a deployment that knows it."""
    with sink() as taken:
        config.use(vault.with_(smtp_url=taken.url, mail_from="no-reply@id.example.com"))
        yield taken
    config.use(vault)


def asked(app: Any, tenant: Tenant, name: str = "alice") -> Person:
    """Somebody who has asked for a new password."""
    person = Person(app, tenant).open("forgot").submit(username=name)
    assert person.answer.status_code == 200 and "Check your mail" in person.html
    return person


def sent(app: Any, tenant: Tenant, server: Sink, name: str = "alice") -> str:
    """The path of the link that came by mail."""
    asked(app, tenant, name)
    [mail] = server.deliver()
    return link(mail).removeprefix(tenant.issuer + "/")


def test_the_whole_way_from_an_application_and_back(
    app: Any, acme: Tenant, server: Sink, database: Any
) -> None:
    rp = relying_party(app, acme)
    elsewhere = rp.browser()
    tokens = rp.sign_in("alice", elsewhere)
    visit = rp.authorize()
    found = re.search(r'id="forgot" href="([^"]+)"', visit.html)
    assert found is not None
    person = Person(app, acme, visit.browser)
    person.open(found[1].removeprefix(acme.issuer + "/")).submit(username="alice@example.com")
    [mail] = server.deliver()
    assert str(mail["To"]) == "alice@example.com" and "30 minutes" in text(mail)
    assert link(mail).startswith(f"{acme.issuer}/recover?link=")
    person.open(link(mail).removeprefix(acme.issuer + "/"))
    assert person.at == "recover" and "link=" not in person.page and "For <strong>" in person.html
    person.submit(new_password="too short")
    assert "at least 15" in person.html
    person.submit(new_password=NEW)
    assert person.at == "recover/done" and "Your password is set" in person.html
    assert rp.authorize(elsewhere, prompt="none").params["error"] == "login_required"
    assert rp.refresh(tokens["refresh_token"]).status_code == 400
    onward = re.search(r'class="button button-primary" href="([^"]+)"', person.html)
    assert onward is not None
    person.open(onward[1].removeprefix(acme.issuer + "/"))
    assert person.at == "interaction/login"
    person.sign_in("alice", "correct horse battery staple")
    assert 'id="form-error"' in person.html
    person.sign_in("alice", NEW)
    assert person.location.startswith(rp.redirect_uri) and "code=" in person.location
    [told] = server.deliver()
    assert "password was changed" in str(told["Subject"]) and "by a link in an e-mail" in text(told)
    assert events(database, acme, "password.recovered") == events(database, acme, "recovery.sent") == 1


def test_pw05_looking_uses_nothing_up_and_says_nothing_to_others(
    app: Any, acme: Tenant, server: Sink
) -> None:
    path = sent(app, acme, server)
    for _ in range(3):
        scanner = app.test_client()
        first = scanner.get(f"/t/acme/{path}")
        assert first.status_code == 303 and "link=" not in first.headers["Location"]
        assert (
            first.headers["Referrer-Policy"] == "no-referrer" and first.headers["Cache-Control"] == "no-store"
        )
        assert scanner.head(f"/t/acme/{path}").status_code == 303
        page = scanner.get("/t/acme/recover")
        assert page.status_code == 200 and page.headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r'(src|href)="https?://(?!localhost)', page.get_data(as_text=True))
    assert Person(app, acme).open(path).submit(new_password=NEW).at == "recover/done"


def test_pw02_rc07_a_link_sets_one_password(app: Any, acme: Tenant, server: Sink, database: Any) -> None:
    path = sent(app, acme, server)
    people = [Person(app, acme).open(path) for _ in range(THREADS)]
    assert all("Set a new password" in each.html for each in people)

    def reset(number: int) -> str:
        answer = people[number].browser.post(
            "/t/acme/recover", data={**inputs(people[number].html), "new_password": f"{NEW} {number}"}
        )
        return str(answer.headers.get("Location") or answer.status_code)

    answers = at_once(THREADS, reset)
    won = [number for number, each in enumerate(answers) if each.endswith("/recover/done")]
    assert len(won) == 1 and set(answers) <= {answers[won[0]], "400", "503"}, answers
    assert events(database, acme, "password.recovered") == 1
    assert Person(app, acme).open("account").sign_in("alice", f"{NEW} {won[0]}").at == "account"
    assert "does not work any more" in Person(app, acme).open(path).html


def gone(app: Any, tenant: Tenant, path: str) -> bool:
    """Whether the link opens nothing, by its page and by a form."""
    person = Person(app, tenant).open(path)
    return person.answer.status_code == 400 and "does not work any more" in person.html


def test_pw02_only_the_newest_counts(app: Any, acme: Tenant, server: Sink) -> None:
    first, second = sent(app, acme, server), sent(app, acme, server)
    assert gone(app, acme, first) and not gone(app, acme, second)


def test_pw02_it_ends_with_its_time(app: Any, acme: Tenant, server: Sink, frozen: Any) -> None:
    with frozen() as clock:
        with entered(acme):
            path = users.send_reset("alice", reveal=True)
        assert path is not None
        path = path.removeprefix(acme.issuer + "/")
        clock.tick(timedelta(seconds=acme.policy.reset_lifetime - 1))
        assert not gone(app, acme, path)
        waiting = Person(app, acme).open(path)
        clock.tick(timedelta(seconds=1))
        assert gone(app, acme, path)
        assert waiting.submit(new_password=NEW).answer.status_code == 400


@pytest.mark.parametrize("change", ["password", "email", "suspended", "signed in", "deleted"])
def test_pw02_a_change_of_the_account_ends_it(app: Any, acme: Tenant, server: Sink, change: str) -> None:
    path = sent(app, acme, server)
    waiting = Person(app, acme).open(path)
    if change == "signed in":
        at_account(app, acme)
    with entered(acme):
        if change == "password":
            users.update("alice", {"password": "another good password"})
        if change == "email":
            users.update("alice", {"email": "new@example.com", "email_verified": True})
        if change == "suspended":
            users.suspend("alice")
        if change == "deleted":
            users.delete("alice")
    assert gone(app, acme, path)
    waiting.submit(new_password=NEW)
    assert waiting.answer.status_code == 400 and "does not work any more" in waiting.html


def test_tn01_a_link_of_the_twin_is_nothing_here(
    app: Any, acme: Tenant, globex: Tenant, server: Sink
) -> None:
    path = sent(app, globex, server)
    assert gone(app, acme, path)
    there = Person(app, globex).open(path)
    value = there.browser.get_cookie("idp_globex_link-recover").value
    here = Person(app, acme).open("forgot")
    here.browser.set_cookie("idp_acme_link-recover", value)
    assert here.open("recover").answer.status_code == 400
    assert there.submit(new_password=NEW).at == "recover/done"
    assert at_account(app, acme).at == "account", "acme's Alice has her password"


def test_br02_pw03_the_form_of_another_browser_or_link_does_nothing(
    app: Any, acme: Tenant, server: Sink
) -> None:
    alice = Person(app, acme).open(sent(app, acme, server))
    bob = Person(app, acme).open(sent(app, acme, server, "bob"))
    for form in ({}, inputs(bob.html), inputs(Person(app, acme).open("forgot").html)):
        answer = alice.browser.post("/t/acme/recover", data={**form, "new_password": NEW})
        assert answer.status_code == 403
    form = {**inputs(alice.html), "new_password": NEW}
    assert (
        alice.browser.post("/t/acme/recover", data=form, headers={"Origin": "https://evil.test"}).status_code
        == 403
    )
    alice.browser.set_cookie("idp_acme_link-recover", bob.browser.get_cookie("idp_acme_link-recover").value)
    assert alice.browser.post("/t/acme/recover", data=form).status_code == 403


def masked(answer: Any) -> str:
    page = answer.get_data(as_text=True)
    return re.sub(r'nonce="[^"]+"|name="csrf" value="[^"]+"|<code id="request-id"[^<]+', "", page)


NAMES = (
    "alice", "alice@example.com", "bob", "bob@example.com", "nobody", "no@body.example", "a b", "\u0430lice", "x" * 256,
)  # fmt: skip


def test_ue03_known_unknown_and_unreachable_are_answered_alike(
    app: Any, acme: Tenant, server: Sink, database: Any
) -> None:
    database("UPDATE users SET email_verified = false WHERE username = 'bob'")
    seen = set()
    for name in NAMES:
        before = database("SELECT count(*) FROM outbox")[0][0]
        person = asked(app, acme, name)
        assert database("SELECT count(*) FROM outbox")[0][0] == before + 1, "the same work for each"
        own = ("X-Request-Id", "Content-Security-Policy")
        headers = sorted((name, value) for name, value in person.answer.headers if name not in own)
        seen.add((masked(person.answer), tuple(headers)))
    assert len(seen) == 1
    assert {str(mail["To"]) for mail in server.deliver()} == {"alice@example.com"}


def test_nobody_reads_in_the_outbox_who_asked(app: Any, acme: Tenant, database: Any) -> None:
    asked(app, acme, "alice@example.com")
    assert "alice" not in str(database("SELECT payload::text FROM outbox"))


def test_pw09_do07_an_address_is_not_flooded_and_a_browser_neither_asks_for_ever(
    app: Any, acme: Tenant, server: Sink, database: Any
) -> None:
    acme = policy(acme, mails=3, recoveries=8)
    paths = []
    for _ in range(8):
        asked(app, acme)
        paths += [link(mail).removeprefix(acme.issuer + "/") for mail in server.deliver()]
    assert len(paths) == 3 and events(database, acme, "mail.withheld") == 5
    assert not gone(app, acme, paths[-1]), "what is not sent ends nothing"
    person = Person(app, acme).open("forgot").submit(username="bob")
    assert person.answer.status_code == 429 and "Retry-After" in person.answer.headers


def test_who_has_no_password_sets_the_first_one_by_a_link(
    app: Any, acme: Tenant, server: Sink, database: Any
) -> None:
    person = at_account(app, acme)
    database("DELETE FROM credentials WHERE tenant_id = %s", str(acme.id))
    asked(app, acme)
    assert len(server.deliver()) == 1
    assert "None yet" in person.open("account/security").html
    page = person.open("account/password")
    assert "alice@example.com" in page.html and 'name="current_password"' not in page.html
    page.submit(action="send")
    assert "on its way to alice@example.com" in page.html
    [mail] = server.deliver()
    set_ = Person(app, acme).open(link(mail).removeprefix(acme.issuer + "/")).submit(new_password=NEW)
    assert set_.answer.status_code == 200
    assert Person(app, acme).open("account").sign_in("alice", NEW).at == "account"


def test_who_cannot_be_written_to_is_told_whom_to_ask(app: Any, acme: Tenant, database: Any) -> None:
    person = at_account(app, acme)
    database("DELETE FROM credentials WHERE tenant_id = %s", str(acme.id))
    with entered(acme):
        users.update("alice", {"email_verified": False})
    assert "Ask whoever manages your account" in person.open("account/password").html
    person.submit(action="send")
    assert "No message can be sent to you" in person.html


def test_pw01_the_link_is_made_from_the_tenant_whatever_host_is_named(
    app: Any, acme: Tenant, server: Sink
) -> None:
    page = app.test_client()
    form = page.get("/t/acme/forgot")
    page.post(
        "/t/acme/forgot",
        data={**inputs(form.get_data(as_text=True)), "username": "alice"},
        headers={"X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"},
    )
    [mail] = server.deliver()
    assert link(mail).startswith(acme.issuer) and "evil" not in mail.as_string()


def test_a_tenant_without_it_has_neither_link_nor_page(
    app: Any, acme: Tenant, vault: Settings, server: Sink
) -> None:
    path = sent(app, acme, server)
    acme = policy(acme, password_recovery=False)
    assert 'id="forgot"' not in Person(app, acme).open("account").html
    assert Person(app, acme).open("forgot").answer.status_code == 404
    assert not gone(app, acme, path), "what was sent still opens"
    acme = policy(acme, password_recovery=True)
    config.use(vault.with_(env="production"))
    assert 'id="forgot"' not in Person(app, acme).open("account").html, "nothing can be sent"


def test_a_reset_signs_nobody_in_and_another_browser_goes_on_at_the_account(
    app: Any, acme: Tenant, server: Sink
) -> None:
    rp = relying_party(app, acme)
    visit = rp.authorize()
    begun = Person(app, acme, visit.browser)
    begun.open("forgot?" + urlsplit(visit.page).query).submit(username="alice")
    [mail] = server.deliver()
    other = Person(app, acme).open(link(mail).removeprefix(acme.issuer + "/")).submit(new_password=NEW)
    assert other.page.endswith("/recover/done") and f'href="{acme.issuer}/account"' in other.html
    assert other.browser.get_cookie("idp_acme_session") is None
    assert other.open("account").at == "interaction/login"


def test_pw04_a_sign_in_under_way_by_the_old_password_is_over(app: Any, acme: Tenant, server: Sink) -> None:
    """Consent is due; the person resets elsewhere: the half-done sign-in has nobody any more."""
    rp = relying_party(app, acme, "asks")
    visit = rp.authorize().login("alice")
    assert 'id="consent-form"' in visit.html
    with entered(acme):
        path = users.send_reset("alice", reveal=True)
    assert path is not None
    Person(app, acme).open(path.removeprefix(acme.issuer + "/")).submit(new_password=NEW)
    visit.consent()
    assert 'id="login-form"' in visit.html


def test_operators_send_a_link_or_show_it(app: Any, acme: Tenant, server: Sink, database: Any) -> None:
    with entered(acme):
        assert users.send_reset("alice") is None
        with pytest.raises(Invalid):
            users.update("bob", {"email_verified": False})
            users.send_reset("bob")
        shown = users.send_reset("bob", reveal=True)
        users.suspend("bob")
        with pytest.raises(Invalid):
            users.send_reset("bob", reveal=True)
    [mail] = server.deliver()
    assert (
        "30 minutes" in text(mail)
        and shown is not None
        and gone(app, acme, shown.removeprefix(acme.issuer + "/"))
    )
    assert events(database, acme, "recovery.shown") == 1
    done = CliRunner().invoke(user_command.command, ["send-reset", "--help"])
    assert "--show-link" in done.output


def test_au03_a_link_stands_in_no_log(
    app: Any, acme: Tenant, server: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        path = sent(app, acme, server)
        token = path.partition("link=")[2]
        Person(app, acme).open(path).submit(new_password=NEW)
        gone(app, acme, path)
    ours = "".join(record.getMessage() for record in caplog.records if record.name != "mail.log")
    assert len(token) == links.LENGTH and token not in ours and NEW not in ours, (
        "mail.log is the test's own server"
    )


@pytest.mark.parametrize("given", ["", "x", "x" * 43, "\u0660" * 43, "x" * 4000, "%00", "a&link=b"])
def test_any_other_text_is_no_link(app: Any, acme: Tenant, given: str) -> None:
    assert app.test_client().get(f"/t/acme/recover?link={given}").status_code == 400
    browser = app.test_client()
    if given.isascii():
        browser.set_cookie("idp_acme_link-recover", given[:200])
    assert browser.get("/t/acme/recover").status_code == 400


def test_the_worker_bears_being_told_twice(app: Any, acme: Tenant, server: Sink, database: Any) -> None:
    asked(app, acme)
    database(
        "CREATE TEMP TABLE twice AS SELECT * FROM outbox; UPDATE twice SET id = gen_random_uuid();"
        " INSERT INTO outbox SELECT * FROM twice"
    )
    mails = server.deliver()
    assert [str(each["To"]) for each in mails] == ["alice@example.com"] * 2
    assert gone(app, acme, link(mails[0]).removeprefix(acme.issuer + "/"))
    assert worker.once() >= 0


def test_pw04_mf02_a_reset_asks_no_less_of_whoever_has_a_second_factor(
    app: Any, acme: Tenant, server: Sink
) -> None:
    """Nobody is in by the link, the second factor is asked for, and beside it eight characters are enough."""
    mine = with_app(acme)
    person = Person(app, acme).open(sent(app, acme, server))
    assert "at least 8" in person.submit(new_password="otter 7").html
    assert person.submit(new_password="otter 77").at == "recover/done"
    assert person.open("account").at == "interaction/login"
    person.sign_in("alice", "otter 77")
    assert person.at == "interaction/mfa"
    assert person.browser.get_cookie("idp_acme_session") is None
    assert person.submit(code=mine.code(), action="verify").at == "account"
    server.deliver()
    bob = Person(app, acme).open(sent(app, acme, server, "bob"))
    assert "at least 15" in bob.submit(new_password="otter 77").html
