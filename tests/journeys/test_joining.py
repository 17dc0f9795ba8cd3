"""Coming to an account: registration, invitations, and another e-mail address."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from idp import config, directory
from idp.accounts import sessions
from idp.config import Settings
from idp.control import invitations, users
from idp.errors import Conflict, Invalid, NotFound
from idp.jobs import worker
from idp.store.durable import groups
from idp.store.durable import users as user_rows
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, events, policy
from tests.mailing import Sink, link, sink, text
from tests.playing import inputs, relying_party
from tests.visiting import Person, at_account

NEW = "purple otter reads maps"
DORA = "dora@example.com"


@pytest.fixture(autouse=True)
def server(vault: Settings, database: Any) -> Iterator[Sink]:
    """A mail server, and a deployment that knows it."""
    with sink() as taken:
        config.use(vault.with_(smtp_url=taken.url, mail_from="no-reply@id.example.com"))
        yield taken
    config.use(vault)


@pytest.fixture
def open_(acme: Tenant) -> Tenant:
    """Acme, where anybody may register."""
    return policy(acme, registration="open")


def sent(tenant: Tenant, server: Sink) -> str:
    """The path of the one link that comes by mail."""
    [mail] = server.deliver()
    return link(mail).removeprefix(tenant.issuer + "/")


def registered(app: Any, tenant: Tenant, server: Sink, email: str = DORA) -> str:
    """The path of the link that somebody gets who registers."""
    assert "Check your mail" in Person(app, tenant).open("create").submit(email=email).html
    return sent(tenant, server)


def test_somebody_registers_and_the_sign_in_goes_on(
    app: Any, open_: Tenant, server: Sink, database: Any
) -> None:
    rp = relying_party(app, open_)
    visit = rp.authorize()
    found = re.search(r'id="register" href="([^"]+)"', visit.html)
    assert found is not None
    person = Person(app, open_, visit.browser)
    person.open(found[1].removeprefix(open_.issuer + "/")).submit(email=f" {DORA} ")
    with entered(open_):
        assert user_rows.by_username(DORA) is None, "nobody is there before the address is confirmed"
    person.open(sent(open_, server))
    assert person.at == "join" and DORA in person.html
    for name, password, said in (("", NEW, "your name"), ("Dora", "short", "at least 15"), ("Dora", "", "Choose"),
                                 ("Dora Deer", "dora@example.com dora", "your own name")):  # fmt: skip
        assert said in person.submit(name=name, new_password=password).html
    person.submit(name=" Dora   Deer ", new_password=NEW)
    assert person.at == "joined" and "Your account is ready" in person.html
    onward = re.search(r'class="button button-primary" href="([^"]+)"', person.html)
    assert onward is not None
    person.open(onward[1].removeprefix(open_.issuer + "/")).sign_in(DORA, NEW)
    assert person.location.startswith(rp.redirect_uri) and "code=" in person.location
    with entered(open_):
        dora = user_rows.by_username(DORA)
        assert (
            dora is not None
            and dora.email == DORA
            and dora.email_verified
            and dora.claims["name"] == "Dora Deer"
        )
    assert events(database, open_, "user.registered") == 1


def test_a_client_asks_that_an_account_be_made(app: Any, open_: Tenant, globex: Tenant, server: Sink) -> None:
    """Initiating User Registration via OpenID Connect 1.0 §4."""
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert "create" in document["prompt_values_supported"]
    rp = relying_party(app, open_)
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    visit = rp.authorize(browser, prompt="create")
    assert 'id="register-form"' in visit.html, "also where somebody is signed in"
    person = Person(app, open_, browser, visit.answer, visit.page).submit(email=DORA)
    person.open(sent(open_, server)).submit(name="Dora", new_password=NEW)
    onward = re.search(r'class="button button-primary" href="([^"]+)"', person.html)
    assert onward is not None
    person.open(onward[1].removeprefix(open_.issuer + "/"))
    assert person.at == "interaction/login"
    assert "code=" in person.sign_in(DORA, NEW).location
    twin = relying_party(app, globex)
    assert twin.authorize(prompt="create").params["error"] == "invalid_request"
    document = app.test_client().get("/t/globex/.well-known/openid-configuration").get_json()
    assert "create" not in document["prompt_values_supported"]
    assert rp.authorize(browser, prompt="create none").params["error"] == "invalid_request"


def masked(answer: Any, email: str) -> str:
    page = answer.get_data(as_text=True).replace(email, "")
    return re.sub(r'nonce="[^"]+"|name="csrf" value="[^"]+"|<code id="request-id"[^<]+', "", page)


def test_ue03_registering_tells_nobody_but_the_reader_of_the_mail(
    app: Any, open_: Tenant, server: Sink, database: Any
) -> None:
    seen = set()
    for email in ("alice@example.com", "bob@example.com", DORA):
        before = database("SELECT count(*) FROM outbox")[0][0]
        person = Person(app, open_).open("create").submit(email=email)
        assert database("SELECT count(*) FROM outbox")[0][0] == before + 1
        own = ("X-Request-Id", "Content-Security-Policy", "Content-Length")
        headers = sorted((name, value) for name, value in person.answer.headers if name not in own)
        seen.add((person.answer.status_code, masked(person.answer, email), tuple(headers)))
    assert len(seen) == 1
    told = {str(mail["To"]): str(mail["Subject"]) for mail in server.deliver()}
    assert "already" in told["alice@example.com"] and "already" in told["bob@example.com"]
    assert told[DORA].startswith("Create")


@pytest.mark.parametrize(
    "given", ["", "x", "a@b@c.example", "a b@example.com", "x" * 400 + "@example.com", "a@x\r\nBcc: b"]
)
def test_pa14_what_is_no_address_is_said_beside_the_field(app: Any, open_: Tenant, given: str) -> None:
    person = Person(app, open_).open("create").submit(email=given)
    assert person.answer.status_code in {200, 400} and "Check your mail" not in person.html


def test_rc10_one_link_makes_one_account(app: Any, open_: Tenant, server: Sink, database: Any) -> None:
    path = registered(app, open_, server)
    people = [Person(app, open_).open(path) for _ in range(THREADS)]

    def join(number: int) -> str:
        form = {**inputs(people[number].html), "name": f"Dora {number}", "new_password": f"{NEW} {number}"}
        answer = people[number].browser.post("/t/acme/join", data=form)
        return str(answer.headers.get("Location") or answer.status_code)

    answers = at_once(THREADS, join)
    won = [number for number, each in enumerate(answers) if each.endswith("/joined")]
    assert len(won) == 1 and {*answers} - {answers[won[0]]} <= {"400", "409", "503"}, answers
    assert Person(app, open_).open("account").sign_in(DORA, f"{NEW} {won[0]}").at == "account"
    assert events(database, open_, "user.registered") == 1


def test_pw06_two_who_wait_for_one_address_make_one_account(app: Any, open_: Tenant, server: Sink) -> None:
    """Both links came to the owner of the address; whoever is late is told that there is an account."""
    first, second = registered(app, open_, server), registered(app, open_, server)
    assert Person(app, open_).open(first).submit(name="Dora", new_password=NEW).at == "joined"
    late = Person(app, open_).open(second).submit(name="Dora", new_password=NEW)
    assert late.answer.status_code == 409 and "You have an account already" in late.html


def test_where_nobody_may_register_there_is_no_page(app: Any, acme: Tenant, server: Sink) -> None:
    assert acme.policy.registration == "invitation"
    assert Person(app, acme).open("create").answer.status_code == 404
    assert 'id="register"' not in Person(app, acme).open("account").html
    tenant = policy(acme, registration="open")
    form = Person(app, tenant).open("create")
    policy(acme, registration="closed")
    assert form.submit(email=DORA).answer.status_code == 404 and server.deliver() == []


def test_what_was_asked_before_a_tenant_closed_is_not_carried_out(
    app: Any, open_: Tenant, server: Sink
) -> None:
    Person(app, open_).open("create").submit(email=DORA)
    policy(open_, registration="closed")
    directory.forget_all()
    assert server.deliver() == []


def invited(tenant: Tenant, server: Sink, email: str = DORA, **more: Any) -> str:
    with entered(tenant):
        assert invitations.send(email, **more) is None
    return sent(tenant, server)


def given_in(tenant: Tenant) -> None:
    """A role and a group."""
    from idp.control import groups as verbs

    with entered(tenant):
        verbs.create("staff")
        verbs.create_role("buyer")


def test_an_invitation_brings_roles_and_groups(
    app: Any, acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    given_in(acme)
    with entered(acme):
        invitations.send(DORA, ("buyer",), ("staff",))
    [mail] = server.deliver()
    assert "You are invited to Acme Corporation" in str(mail["Subject"]) and "7 days" in text(mail)
    path = link(mail).removeprefix(acme.issuer + "/")
    assert Person(app, globex).open(path).answer.status_code == 400
    person = Person(app, acme).open(path)
    assert "Accept your invitation" in person.html
    assert person.submit(name="Dora", new_password=NEW).at == "joined"
    with entered(acme):
        dora = user_rows.by_username(DORA)
        assert dora is not None
        assert [each.name for each in groups.direct(dora.id)] == ["staff"]
        assert [each.name for each in groups.direct_roles(user=dora.id)] == ["buyer"]
    assert events(database, acme, "invitation.sent") == events(database, acme, "role.member_added") == 1
    with entered(globex):
        assert user_rows.by_username(DORA) is None


def test_pw08_what_an_invitation_gives_is_kept_by_us(
    app: Any, acme: Tenant, server: Sink, database: Any
) -> None:
    given_in(acme)
    person = Person(app, acme).open(invited(acme, server))
    person.submit(
        name="Dora", new_password=NEW, email="alice@example.com", roles="buyer", role="buyer", groups="staff"
    )
    with entered(acme):
        dora = user_rows.by_username(DORA)
        assert dora is not None and dora.email == DORA and groups.direct_roles(user=dora.id) == ()
    assert "buyer" not in str(database("SELECT * FROM links")), "sealed, and bound to tenant and kind"


def test_pw08_an_invitation_ends_with_its_time_and_its_use(app: Any, acme: Tenant, frozen: Any) -> None:
    with frozen() as clock:
        with entered(acme):
            path = str(invitations.send(DORA, reveal=True)).removeprefix(acme.issuer + "/")
        clock.tick(timedelta(days=7) - timedelta(seconds=1))
        waiting = Person(app, acme).open(path)
        assert 'id="join-form"' in waiting.html
        clock.tick(timedelta(seconds=1))
        assert Person(app, acme).open(path).answer.status_code == 400
        assert waiting.submit(name="Dora", new_password=NEW).answer.status_code == 400


def test_invitations_that_wait_are_listed_and_taken_back(
    app: Any, acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    given_in(acme)
    path = invited(acme, server, roles=("buyer",), groups=("staff",))
    with entered(acme):
        (one,) = invitations.waiting()
        assert one.email == DORA and one.ends_at - one.sent_at == timedelta(days=7)
        assert (one.roles, one.groups) == (("buyer",), ("staff",))
    with entered(globex):
        assert invitations.waiting() == ()
        with pytest.raises(NotFound):
            invitations.revoke(str(one.id))
    assert 'id="join-form"' in Person(app, acme).open(path).html
    with entered(acme):
        for wrong in ("", "x" * 36, str(acme.id)):
            with pytest.raises(NotFound):
                invitations.revoke(wrong)
        invitations.revoke(str(one.id))
        assert invitations.waiting() == ()
        with pytest.raises(NotFound):
            invitations.revoke(str(one.id))
    assert Person(app, acme).open(path).answer.status_code == 400
    assert events(database, acme, "invitation.revoked") == 1


def test_who_registers_by_themselves_is_no_invitation(app: Any, open_: Tenant, server: Sink) -> None:
    registered(app, open_, server)
    with entered(open_):
        assert invitations.waiting() == ()


def test_operators_are_told_what_cannot_be(acme: Tenant, server: Sink) -> None:
    with entered(acme):
        with pytest.raises(Conflict):
            invitations.send("alice@example.com")
        for wrong in (("x",), (DORA, ("nobody",)), (DORA, (), ("nothing",))):
            with pytest.raises(Invalid):
                invitations.send(*wrong)
    with entered(policy(acme, registration="closed")), pytest.raises(Invalid):
        invitations.send(DORA)
    assert server.deliver() == []


def test_pw10_a_link_of_one_kind_opens_nothing_of_another(app: Any, acme: Tenant, server: Sink) -> None:
    token = invited(acme, server).partition("link=")[2]
    for page in ("recover", "confirm"):
        assert Person(app, acme).open(f"{page}?link={token}").answer.status_code == 400


def asked(app: Any, tenant: Tenant, new: str, username: str = "alice") -> Person:
    person = at_account(app, tenant, username, "account/email").submit(email=new)
    assert person.at == "account" and "on its way to the new address" in person.html
    return person


def test_pw07_an_address_counts_once_confirmed_and_the_old_one_is_told(
    app: Any, acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    asked(app, acme, "alice@new.example")
    [mail] = server.deliver()
    assert str(mail["To"]) == "alice@new.example"
    path = link(mail).removeprefix(acme.issuer + "/")
    with entered(acme):
        alice = user_rows.by_username("alice")
        assert alice is not None and alice.email == "alice@example.com"
    assert Person(app, globex).open(path).answer.status_code == 400
    scanner = Person(app, acme).open(path)
    assert scanner.at == "confirm" and "alice@new.example" in scanner.html
    reader = Person(app, acme).open(path).submit(action="confirm-address")
    assert "Your address is confirmed" in reader.html
    with entered(acme):
        alice = user_rows.by_username("alice")
        assert alice is not None and alice.email == "alice@new.example" and alice.email_verified
    [told] = server.deliver()
    assert str(told["To"]) == "alice@example.com" and "was changed" in str(told["Subject"])
    assert "new.example" not in told.as_string()
    assert scanner.submit(action="confirm-address").answer.status_code == 400
    assert (
        Person(app, acme).open("account").sign_in("alice@new.example", "correct horse battery staple").at
        == "account"
    )
    assert events(database, acme, "address.changed") == 1
    with entered(globex):
        twin = user_rows.by_username("alice")
        assert twin is not None and twin.email == "alice@example.com"


def test_rc12_one_of_many_confirms_an_address(app: Any, acme: Tenant, server: Sink, database: Any) -> None:
    asked(app, acme, "alice@new.example")
    path = sent(acme, server)
    people = [Person(app, acme).open(path) for _ in range(THREADS)]
    answers = at_once(
        THREADS, lambda number: people[number].submit(action="confirm-address").answer.status_code
    )
    assert answers.count(200) == 1, answers
    assert events(database, acme, "address.changed") == 1


def test_pw07_a_change_needs_a_fresh_sign_in(app: Any, acme: Tenant, server: Sink, frozen: Any) -> None:
    with frozen() as clock:
        person = at_account(app, acme, path="account/email")
        form = inputs(person.html)
        clock.tick(timedelta(seconds=sessions.FRESH))
        answer = person.browser.post("/t/acme/account/email", data={**form, "email": "a@new.example"})
        assert answer.status_code == 303 and "/interaction/login" in answer.headers["Location"]
    worker.once()
    assert server.mails == []


def test_ue08_an_address_that_is_somebodys_is_told_at_that_address_alone(
    app: Any, acme: Tenant, server: Sink
) -> None:
    first, second = asked(app, acme, "bob@example.com").html, asked(app, acme, "free@new.example").html
    page = re.sub(r'nonce="[^"]+"', "", first)
    assert re.sub(r"\d+ browsers?", "", page) == re.sub(
        r"\d+ browsers?", "", re.sub(r'nonce="[^"]+"', "", second)
    )
    told = {str(mail["To"]): str(mail["Subject"]) for mail in server.deliver()}
    assert "already" in told["bob@example.com"] and "Confirm" in told["free@new.example"]
    mine = Person(app, acme).open("account/history").sign_in()
    assert mine.html.count("A link that changes your e-mail address") == 2, (
        "one's own history tells whose it is"
    )


def test_an_address_nobody_confirmed_is_of_whoever_confirms_it(app: Any, open_: Tenant, server: Sink) -> None:
    """Bob was given an address that is Alice's, and one that is Dora's: neither is in her way."""
    path = registered(app, open_, server)
    with entered(open_):
        users.update("bob", {"email": DORA})
    person = Person(app, open_).open(path).submit(name="Dora Deer", new_password=NEW)
    assert person.at == "joined"
    with entered(open_):
        assert users.show(DORA).email == DORA and users.show("bob").email is None
        users.update("bob", {"email": "alice@new.example"})
    asked(app, open_, "alice@new.example")
    [mail] = server.deliver()
    path = link(mail).removeprefix(open_.issuer + "/")
    Person(app, open_).open(path).submit(action="confirm-address")
    with entered(open_):
        assert users.show("alice").email == "alice@new.example" and users.show("bob").email is None


def test_an_address_by_which_somebody_signs_in_is_theirs(app: Any, acme: Tenant, server: Sink) -> None:
    with entered(acme):
        users.create({"username": "dora@example.com", "password": NEW})
    asked(app, acme, DORA)
    [mail] = server.deliver()
    assert "already" in str(mail["Subject"])


@pytest.mark.parametrize("name", ["Dora\u202eDeer", "Dora\u0007", "\u200b", "D" * 201])
def test_a_name_that_is_none_makes_no_account(app: Any, open_: Tenant, server: Sink, name: str) -> None:
    path = registered(app, open_, server)
    person = Person(app, open_).open(path).submit(name=name, new_password=NEW)
    assert person.at == "join" and 'role="alert"' in person.html
    with entered(open_):
        assert user_rows.by_username(DORA) is None


def test_an_address_that_became_anothers_meanwhile_is_not_taken_from_them(
    app: Any, acme: Tenant, server: Sink
) -> None:
    asked(app, acme, "shared@new.example")
    path = sent(acme, server)
    with entered(acme):
        users.update("bob", {"email": "shared@new.example", "email_verified": True})
    waiting = Person(app, acme).open(path)
    assert waiting.submit(action="confirm-address").answer.status_code == 400
    with entered(acme):
        alice = user_rows.by_username("alice")
        assert alice is not None and alice.email == "alice@example.com"


def test_a_new_password_ends_the_link_of_an_address(app: Any, acme: Tenant, server: Sink) -> None:
    asked(app, acme, "alice@new.example")
    address = sent(acme, server)
    with entered(acme):
        reset = str(users.send_reset("alice", reveal=True)).removeprefix(acme.issuer + "/")
    assert Person(app, acme).open(reset).submit(new_password=NEW).at == "recover/done"
    assert Person(app, acme).open(address).answer.status_code == 400


def test_operators_let_a_person_confirm_an_address(app: Any, acme: Tenant, server: Sink) -> None:
    with entered(acme):
        assert users.set_address("bob", "bob@new.example") is None
        shown = str(users.set_address("bob", "bob@newer.example", reveal=True))
        with pytest.raises(Invalid):
            users.set_address("bob", "nonsense")
    [mail] = server.deliver()
    assert Person(app, acme).open(link(mail).removeprefix(acme.issuer + "/")).answer.status_code == 400, (
        "the newest counts"
    )
    person = Person(app, acme).open(shown.removeprefix(acme.issuer + "/")).submit(action="confirm-address")
    assert "Your address is confirmed" in person.html


def test_a_tenant_that_manages_addresses_itself_has_no_page_for_it(app: Any, acme: Tenant) -> None:
    person = at_account(app, policy(acme, email_changes=False))
    assert "account/email" not in person.html
    assert person.open("account/email").answer.status_code == 404
