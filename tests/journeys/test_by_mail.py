"""Signing in by a code or a link of an e-mail: here, on another device, wrongly, too late, many at once."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from idp import clock, config
from idp.config import Settings
from idp.control import users
from idp.jobs import worker
from idp.store.database import Unavailable
from idp.store.durable import mailed_codes
from idp.store.ephemeral import transactions
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, events, policy
from tests.attacks.factoring import with_app
from tests.mailing import Sink, link, sink, text
from tests.playing import Visit, inputs, relying_party
from tests.visiting import Person


@pytest.fixture(autouse=True)
def server(vault: Settings, database: Any) -> Iterator[Sink]:
    """A mail server, and a deployment that knows it."""
    with sink() as taken:
        config.use(vault.with_(smtp_url=taken.url, mail_from="no-reply@id.example.com"))
        yield taken
    config.use(vault)


@pytest.fixture
def house(acme: Tenant) -> Tenant:
    """A tenant whose people sign in by code and link."""
    return policy(acme, email_sign_in="code_and_link")


def asked(app: Any, tenant: Tenant, name: str = "alice@example.com", browser: Any = None) -> Visit:
    """Somebody who has asked for a code."""
    visit = relying_party(app, tenant).authorize(browser)
    visit.submit(username=name, action="email")
    assert "/interaction/email" in visit.page and 'data-state="open"' in visit.html, visit.html[:900]
    return visit


def code_in(mail: Any) -> str:
    """The code of a message."""
    found = re.search(r"Your code: (\d{4} \d{4})", text(mail))
    assert found is not None, text(mail)
    return found[1]


def other(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code.replace(' ', '')) + 1) % 10**8:08d}"


def opened(app: Any, tenant: Tenant, mail: Any, browser: Any = None) -> Person:
    """A browser that has opened the link of a message."""
    return Person(app, tenant, browser).open(link(mail).removeprefix(tenant.issuer + "/"))


def claims(visit: Visit) -> dict[str, Any]:
    """What the ID token says of a sign-in that has come back."""
    return visit.rp.verified(visit.rp.exchange(visit.code)["id_token"], visit.rp.client_id)


def test_by_the_code_in_the_browser_that_asked(app: Any, house: Tenant, server: Sink, database: Any) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()
    assert str(mail["To"]) == "alice@example.com" and "10 minutes" in text(mail)
    assert mail["Subject"] == f"{code_in(mail)} is your code for {house.name}"
    visit.submit(code=code_in(mail), action="verify")
    told = claims(visit)
    assert (told["amr"], told["acr"]) == (["otp"], "1")
    assert events(database, house, "email_code.sent") == events(database, house, "session.started") == 1


def test_by_the_link_in_the_same_browser(app: Any, house: Tenant, server: Sink) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()
    for _ in range(3):  # looking uses nothing up
        here = opened(app, house, mail, visit.browser)
    assert here.at == "sign-in" and "link=" not in here.page and "in this browser" in here.html
    here.submit(action="confirm")
    visit.answer = here.answer
    assert claims(visit)["amr"] == ["otp"]
    visit.answer = visit.browser.get(visit.page)
    assert visit.answer.status_code == 400 and 'id="stale"' in visit.html


def test_by_the_link_on_another_device_which_is_never_signed_in(
    app: Any, house: Tenant, server: Sink, database: Any
) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()
    phone = opened(app, house, mail)
    assert (
        "An unknown browser" in phone.html
        and "Acme Web" in phone.html
        and "This signs in the other browser" in phone.html
    )
    visit.submit(action="opened")
    assert "The link was not confirmed yet" in visit.html
    phone.submit(action="confirm")
    assert 'data-how="confirmed"' in phone.html and not phone.location
    assert (
        relying_party(app, house).authorize(phone.browser, prompt="none").params["error"] == "login_required"
    )
    visit.answer = visit.browser.get(visit.page)
    assert 'data-state="confirmed"' in visit.html
    visit.submit(action="opened")
    assert claims(visit)["amr"] == ["otp"]
    assert opened(app, house, mail).answer.status_code == 400
    assert events(database, house, "email_code.confirmed") == 1


def test_who_did_not_ask_ends_it(app: Any, house: Tenant, server: Sink) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()
    phone = opened(app, house, mail).submit(action="deny")
    assert 'data-how="denied"' in phone.html
    visit.submit(code=code_in(mail), action="verify")
    assert 'data-state="over"' in visit.html and "session" not in str(
        visit.answer.headers.getlist("Set-Cookie")
    )


def test_an_application_that_wants_two_factors_gets_two(app: Any, house: Tenant, server: Sink) -> None:
    authenticator = with_app(house)
    visit = asked(app, house)
    [mail] = server.deliver()
    visit.submit(code=code_in(mail), action="verify")
    assert "/interaction/mfa" in visit.page
    visit.submit(code=authenticator.code(), action="verify")
    assert claims(visit)["amr"] == ["otp", "mfa"]


def test_a_wrong_code_a_replayed_one_and_one_of_another_browser(
    app: Any, house: Tenant, server: Sink, database: Any
) -> None:
    visit, beside = asked(app, house), asked(app, house)
    first, second = server.deliver()
    visit.submit(code=other(code_in(first)), action="verify")
    assert "That code is not right" in visit.html
    beside.submit(code=code_in(first), action="verify")
    assert "That code is not right" in beside.html
    before, page, form = visit.browser, visit.page, inputs(visit.html)
    visit.submit(code=code_in(first), action="verify")
    assert visit.code
    again = before.post(page, data={**form, "code": code_in(first), "action": "verify"})
    assert again.status_code == 400 and 'id="stale"' in again.get_data(as_text=True)
    worker.once()
    assert events(database, house, "sign_in.failed") == 2
    beside.submit(code=code_in(second), action="verify")
    assert beside.code


def test_five_wrong_ones_end_it_for_everybody_alike(app: Any, house: Tenant, server: Sink) -> None:
    for name in ("alice", "nobody-is-called-so"):
        visit = asked(app, house, name)
        mails = server.deliver()
        wrong = other(code_in(mails[0])) if mails else "00000000"
        for _ in range(house.policy.email_code_failures):
            visit.submit(code=wrong, action="verify")
        assert 'data-state="over"' in visit.html
        visit.submit(code=code_in(mails[0]) if mails else wrong, action="verify")
        assert 'data-state="over"' in visit.html and visit.answer.status_code == 200
        if mails:
            assert opened(app, house, mails[0]).answer.status_code == 400


def test_one_that_is_too_old(app: Any, house: Tenant, server: Sink, frozen: Any) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()
    with frozen(clock.now() + timedelta(seconds=601)):
        visit.submit(code=code_in(mail), action="verify")
        assert 'data-state="over"' in visit.html
        assert opened(app, house, mail).answer.status_code == 400


def test_a_new_one_ends_the_one_before(app: Any, house: Tenant, server: Sink) -> None:
    visit = asked(app, house)
    [first] = server.deliver()
    visit.submit(action="again")
    [second] = server.deliver()
    assert opened(app, house, first).answer.status_code == 400
    visit.submit(code=code_in(first), action="verify")
    assert "That code is not right" in visit.html
    visit.submit(code=code_in(second), action="verify")
    assert visit.code


def masked(html: str, name: str) -> str:
    """A page without what two answers to the same question differ in."""
    for pattern in (r'nonce="[^"]*"', r'value="[^"]*"', r"tx=[\w-]+", r'dir="ltr">[\w-]+</code>'):
        html = re.sub(pattern, "", html)
    return html.replace(name, "NAME")


def test_nobody_learns_who_has_an_account(app: Any, house: Tenant, server: Sink) -> None:
    with entered(house):
        users.suspend("bob")
    pages = {}
    for name in ("alice", "bob", "nobody"):
        visit = asked(app, house, name)
        pages[name] = [masked(visit.html, name)]
        visit.submit(code="12345678", action="verify")
        pages[name].append(masked(visit.html, name))
    assert pages["alice"] == pages["bob"] == pages["nobody"]
    assert [str(mail["To"]) for mail in server.deliver()] == ["alice@example.com"]


def test_who_is_suspended_meanwhile_gets_the_answer_of_a_wrong_code(
    app: Any, house: Tenant, server: Sink
) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()
    with entered(house):
        users.suspend("alice")
    visit.submit(code=code_in(mail), action="verify")
    assert "That code is not right" in visit.html
    assert opened(app, house, mail).answer.status_code == 400


def test_an_address_that_nobody_confirmed_where_the_policy_has_it_so(
    app: Any, house: Tenant, server: Sink
) -> None:
    with entered(house):
        users.create({"username": "dora", "email": "dora@example.com"})
    asked(app, house, "dora")
    assert server.deliver() == []
    tenant = policy(house, email_sign_in="code", email_code_confirms=True)
    visit = asked(app, tenant, "dora")
    [mail] = server.deliver()
    assert "/sign-in?link=" not in text(mail)
    visit.submit(code=code_in(mail), action="verify")
    assert visit.code
    with entered(tenant):
        assert users.show("dora").email_verified


def test_a_tenant_that_does_not_want_it(app: Any, acme: Tenant, server: Sink) -> None:
    visit = relying_party(app, acme).authorize()
    assert 'id="login-email"' not in visit.html
    visit.submit(username="alice", action="email")
    assert "/interaction/login" in visit.page and server.deliver() == []


def test_of_many_at_one_code_one_signs_in(app: Any, house: Tenant, server: Sink, database: Any) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()
    form = {**inputs(visit.html), "code": code_in(mail), "action": "verify"}
    cookies = {each.key: each.value for each in visit.browser._cookies.values()}

    def give(_: int) -> Any:
        browser = app.test_client()
        for name, value in cookies.items():
            browser.set_cookie(name, value, domain="localhost")
        return browser.post(visit.page, data=form)

    answers = at_once(THREADS, give)
    assert sum("code=" in each.headers.get("Location", "") for each in answers) == 1
    assert events(database, house, "session.started") == 1


def test_of_many_at_one_link_one_confirms(app: Any, house: Tenant, server: Sink, database: Any) -> None:
    asked(app, house)
    [mail] = server.deliver()
    phones = [opened(app, house, mail) for _ in range(THREADS)]
    answers = at_once(THREADS, lambda number: phones[number].submit(action="confirm").html)
    assert sum('data-how="confirmed"' in each for each in answers) == 1
    assert sum('id="link-gone"' in each for each in answers) == THREADS - 1
    assert events(database, house, "email_code.confirmed") == 1


def test_mf06_asking_too_often_is_stopped_for_known_and_unknown_names_alike(
    app: Any, house: Tenant, server: Sink
) -> None:
    tenant = policy(house, email_sign_in="code", email_codes=8)
    for name in ("alice", "nobody"):
        for _ in range(2):
            asked(app, tenant, name)
        visit = relying_party(app, tenant).authorize()
        visit.submit(username=name, action="email")
        assert visit.answer.status_code == 429 and visit.answer.headers["Retry-After"]


def at_second(app: Any, tenant: Tenant, **changes: str | None) -> Visit:
    """Alice, who has given her password and is asked for a second factor."""
    visit = relying_party(app, tenant).authorize(**changes).login("alice")
    assert 'id="mfa"' in visit.html, visit.html[:900]
    return visit


def second_sent(visit: Visit, server: Sink) -> str:
    """Have a code sent as a second factor: the code."""
    visit.submit(action="send")
    assert 'id="code"' in visit.html and "alice@example.com" in visit.html
    [mail] = server.deliver()
    assert "/sign-in?link=" not in text(mail) and "change your password" in text(mail)
    return code_in(mail)


def test_as_a_second_factor_where_the_policy_takes_it(app: Any, acme: Tenant, server: Sink) -> None:
    tenant = policy(acme, email_second_factor="without_another", second_factor="required")
    visit = at_second(app, tenant)
    assert 'id="mfa-send"' in visit.html and 'id="code"' not in visit.html and server.deliver() == []
    code = second_sent(visit, server)
    visit.submit(code=other(code), action="verify")
    assert "That code is not right" in visit.html
    visit.submit(code=code, action="verify", remember="yes")
    told = claims(visit)
    assert (told["amr"], told["acr"]) == (["pwd", "otp", "mfa"], "2")
    assert not any("trusted" in name for name in (each.key for each in visit.browser._cookies.values()))


def test_nobody_is_asked_for_it_who_must_not_have_two(app: Any, acme: Tenant, server: Sink) -> None:
    tenant = policy(acme, email_second_factor="always")
    assert claims(relying_party(app, tenant).authorize().login("alice"))["acr"] == "1"
    at_second(app, tenant, acr_values="2")


def test_it_stands_beside_a_better_one_only_where_the_policy_says_so(
    app: Any, acme: Tenant, server: Sink
) -> None:
    with_app(acme)
    tenant = policy(acme, email_second_factor="without_another")
    visit = at_second(app, tenant)
    assert 'id="mfa-email"' not in visit.html
    visit.submit(way="email", action="send")
    assert "No message can be sent" in visit.html and server.deliver() == []
    tenant = policy(acme, email_second_factor="always")
    visit = at_second(app, tenant)
    assert 'id="mfa-email"' in visit.html
    visit.answer = visit.browser.get(visit.page + "&way=email")
    code = second_sent(visit, server)
    policy(acme, email_second_factor="off")
    visit.submit(code=code, action="verify")
    assert "That code is not right" in visit.html or 'id="code"' in visit.html
    assert not any(each.key.endswith("_session") for each in visit.browser._cookies.values())


def test_a_mailbox_is_never_both_factors(app: Any, acme: Tenant, server: Sink) -> None:
    tenant = policy(acme, email_sign_in="code", email_second_factor="always", second_factor="required")
    visit = asked(app, tenant)
    [mail] = server.deliver()
    visit.submit(code=code_in(mail), action="verify")
    assert 'id="enrol"' in visit.html
    with_app(tenant)
    visit = asked(app, tenant)
    [mail] = server.deliver()
    visit.submit(code=code_in(mail), action="verify")
    assert 'id="mfa"' in visit.html and 'id="mfa-email"' not in visit.html
    visit.submit(way="email", action="send")
    assert "No message can be sent" in visit.html and server.deliver() == []


def test_five_wrong_second_codes_are_the_end_for_a_while(app: Any, acme: Tenant, server: Sink) -> None:
    tenant = policy(acme, email_second_factor="always", second_factor="required")
    visit = at_second(app, tenant)
    code = second_sent(visit, server)
    for _ in range(tenant.policy.second_factor_failures):
        visit.submit(code=other(code), action="verify")
    page, form = visit.page, {"csrf": inputs(visit.html)["csrf"], "way": "email"}
    answer = visit.browser.post(page, data={**form, "code": code, "action": "verify"})
    assert answer.status_code == 429


def test_a_second_factor_of_a_sign_in_before_is_none_here(app: Any, acme: Tenant, server: Sink) -> None:
    tenant = policy(acme, email_second_factor="always", second_factor="required")
    first, second = at_second(app, tenant), at_second(app, tenant)
    code = second_sent(first, server)
    second_sent(second, server)
    second.submit(code=code, action="verify")
    assert "That code is not right" in second.html
    first.submit(code=code, action="verify")
    assert first.code


def test_of_many_at_one_second_code_one_goes_on(app: Any, acme: Tenant, server: Sink, database: Any) -> None:
    tenant = policy(acme, email_second_factor="always", second_factor="required", second_factor_failures=100)
    visit = at_second(app, tenant)
    form = {"code": second_sent(visit, server), "action": "verify", **inputs(visit.html)}
    cookies = {each.key: each.value for each in visit.browser._cookies.values()}

    def give(_: int) -> Any:
        browser = app.test_client()
        for name, value in cookies.items():
            browser.set_cookie(name, value, domain="localhost")
        return browser.post(visit.page, data=form)

    answers = at_once(THREADS, give)
    assert sum("code=" in each.headers.get("Location", "") for each in answers) == 1
    assert events(database, tenant, "session.started") == 1


def test_a_redis_that_brings_the_sign_in_back_opens_nothing_a_second_time(
    app: Any, house: Tenant, server: Sink, database: Any
) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()
    identifier = parse_qs(urlsplit(visit.page).query)["tx"][0]
    with entered(house):
        before = transactions.get(identifier)
    form = {**inputs(visit.html), "code": code_in(mail), "action": "verify"}
    stranger = app.test_client()
    for each in visit.browser._cookies.values():
        stranger.set_cookie(each.key, each.value, domain="localhost")
    assert "code=" in visit.browser.post(visit.page, data=form).headers["Location"]
    assert before is not None
    with entered(house):
        transactions.reopen(identifier, before, 600)
    answer = stranger.post(visit.page, data=form)
    assert answer.status_code == 200 and 'data-state="over"' in answer.get_data(as_text=True)
    assert events(database, house, "session.started") == 1
    assert opened(app, house, mail, stranger).answer.status_code == 400


def test_where_nothing_can_count_nobody_is_judged(
    app: Any, house: Tenant, server: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = asked(app, house)
    [mail] = server.deliver()

    def busy(*_: Any) -> None:
        raise Unavailable(rule="database.away")

    with monkeypatch.context() as patched:
        patched.setattr(mailed_codes, "attempt", busy)
        answer = visit.browser.post(
            visit.page, data={**inputs(visit.html), "code": code_in(mail), "action": "verify"}
        )
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    visit.submit(code=code_in(mail), action="verify")
    assert visit.code
