"""The account pages over WSGI: in through the hosted sign-in, and everything that is done there."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Response
from redis import Redis as RedisClient

from idp.accounts import devices, sessions
from idp.app import create_app, every_door
from idp.control import users
from idp.embedded.redis import OPERATOR
from idp.tenants import Tenant, entered
from idp.web import persons
from idp.web.gates import Door, Gate, Undeclared
from tests.attacks.acting import events, policy
from tests.attacks.factoring import user, with_app
from tests.playing import PASSWORDS, inputs, relying_party
from tests.visiting import Person, at_account

NEW = "purple otter reads maps"
PAGES = (
    "account", "account/security", "account/password", "account/sessions", "account/applications",
    "account/history",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_whoever_is_not_signed_in_signs_in_and_arrives_where_they_wanted(
    app: Any, acme: Tenant, path: str
) -> None:
    person = Person(app, acme).open(path)
    assert person.at == "interaction/login" and "<h1>Sign in</h1>" in person.html
    person.sign_in("alice", "wrong")
    assert person.at == "interaction/login" and 'id="form-error"' in person.html
    person.sign_in()
    assert person.at == path and 'aria-label="Your account"' in person.html
    assert person.open(path).at == path


def test_the_session_is_the_one_that_applications_get(app: Any, acme: Tenant) -> None:
    person = at_account(app, acme)
    rp = relying_party(app, acme)
    assert rp.authorize(person.browser, prompt="none").code


def test_cancelling_leads_to_the_start_page_and_tells_nobody_anything(app: Any, acme: Tenant) -> None:
    person = Person(app, acme).open("account/sessions").submit(action="cancel", username="", password="")
    assert person.at == "" and 'id="tenant-home"' in person.html


def test_a_sign_in_that_redis_lost_begins_again_by_itself(app: Any, acme: Tenant, services: Any) -> None:
    lost = Person(app, acme).open("account/history")
    identifier = lost.page.partition("tx=")[2]
    with RedisClient.from_url(services.redis.url(OPERATOR)) as client:
        client.flushall()
    lost.sign_in()
    assert lost.at == "interaction/login" and lost.page.partition("tx=")[2] != identifier
    lost.sign_in()
    assert lost.at == "account/history"


def test_a_client_cannot_name_a_page_of_ours(app: Any, acme: Tenant) -> None:
    """What leads to an own page is in the code: a request's parameters of that name are a client's."""
    rp = relying_party(app, acme)
    visit = rp.authorize(own="account", o="account").login("alice")
    assert visit.params["code"]


@pytest.fixture
def dangerous(acme: Tenant, vault: Any) -> Any:
    """The application with one more page, which wants a fresh sign-in."""
    door = Door("dangerous", __name__, gate=Gate.PERSON, page="error")

    @door.route("/account/dangerous", methods=("GET", "POST"), credentials=("cookie", "csrf"), fresh=True)
    def done(visit: persons.Visit) -> Any:
        return Response(
            f'<input type="hidden" name="csrf" value="{visit.csrf()}"> done by {visit.user.username}'
        )

    return create_app(vault, (*every_door(), door))


def test_what_is_dangerous_wants_a_fresh_sign_in(dangerous: Any, acme: Tenant, frozen: Any) -> None:
    with frozen() as clock:
        person = at_account(dangerous, acme)
        assert "done by alice" in person.open("account/dangerous").html
        clock.tick(timedelta(seconds=sessions.FRESH - 1))
        assert "done by alice" in person.open("account/dangerous").html
        form = inputs(person.html)
        clock.tick(timedelta(seconds=1))
        posted = person.browser.post("/t/acme/account/dangerous", data=form)
        assert posted.status_code == 303 and "/interaction/login" in posted.headers["Location"]
        assert person.open("account").at == "account", "only that page is closed"
        person.open("account/dangerous")
        assert person.at == "interaction/login" and "Sign in again" in person.html
        person.sign_in()
        assert person.at == "account/dangerous" and "done by alice" in person.html


def test_a_page_of_a_person_cannot_be_without_its_gate() -> None:
    door = Door("open", __name__, gate=Gate.PERSON, page="error")
    with pytest.raises(Undeclared):
        door.route("/account/x", credentials=())
    with pytest.raises(Undeclared):
        door.route("/account/x", methods=("POST",), credentials=("cookie",))


def test_a_changed_password_ends_everything_else(app: Any, acme: Tenant, database: Any) -> None:
    rp = relying_party(app, acme)
    elsewhere = rp.browser()
    tokens = rp.sign_in("alice", elsewhere)
    person = at_account(app, acme, path="account/password")
    before = person.browser.get_cookie("idp_acme_session").value
    person.submit(current_password="correct horse battery staple", new_password=NEW)
    assert person.at == "account/security" and "Your password is changed" in person.html
    assert "Your password is changed" not in person.open("account/security").html, "it is said once"
    assert person.browser.get_cookie("idp_acme_session").value != before
    assert rp.authorize(elsewhere, prompt="none").params["error"] == "login_required"
    assert rp.refresh(tokens["refresh_token"]).status_code == 400
    assert rp.introspect(tokens["access_token"]) == {"active": False}
    assert rp.authorize(person.browser, prompt="none").code
    old = Person(app, acme).open("account").sign_in()
    assert 'id="form-error"' in old.html
    assert old.sign_in("alice", NEW).at == "account"
    assert events(database, acme, "password.changed") == 1


def test_a_sign_in_half_done_with_the_former_password_ends_with_it(app: Any, acme: Tenant) -> None:
    mine = with_app(acme)
    person = at_mfa(app, acme, "account/password").submit(code=mine.code(), action="verify")
    half = at_mfa(app, acme, "account")
    person.submit(current_password=PASSWORDS["acme", "alice"], new_password=NEW)
    assert person.at == "account/security", "its own session goes on"
    half.submit(code=mine.code(1), action="verify")
    assert half.open("account").at == "interaction/login", "what began with the former password signs in"


def at_mfa(app: Any, tenant: Tenant, path: str) -> Person:
    """Somebody who has given the password and not yet the second factor."""
    person = Person(app, tenant).open(path).sign_in()
    assert person.at == "interaction/mfa"
    return person


def test_a_changed_password_is_a_new_proof_and_makes_no_old_one_new(
    app: Any, acme: Tenant, frozen: Any
) -> None:
    with frozen() as clock:
        mine = with_app(acme)
        person = at_mfa(app, acme, "account/password").submit(code=mine.code(), action="verify")
        clock.tick(timedelta(seconds=sessions.FRESH))
        person.submit(current_password=PASSWORDS["acme", "alice"], new_password=NEW)
        assert person.at == "account/security"
        assert person.open("account/data").at == "interaction/mfa", (
            "the second factor of before counts as of now"
        )
        clock.tick(timedelta(seconds=31))
        assert person.submit(code=mine.code(), action="verify").at == "account/data"


def test_the_twin_keeps_password_and_sessions(app: Any, acme: Tenant, globex: Tenant) -> None:
    twin = at_account(app, globex)
    at_account(app, acme, path="account/password").submit(
        current_password="correct horse battery staple", new_password=NEW
    )
    assert twin.open("account").at == "account"
    assert at_account(app, globex).at == "account"


@pytest.mark.parametrize(
    ("current", "new", "said"),
    [
        ("wrong", NEW, "not your password"),
        ("", NEW, "Enter your current password"),
        ("correct horse battery staple", "", "Enter a new password"),
        ("correct horse battery staple", "fourteen chars", "at least 15"),
        ("correct horse battery staple", "aaaaaaaaaaaaaaaaaaaa", "repeats itself"),
        ("correct horse battery staple", "otterotterotterotter", "repeats itself"),
        ("correct horse battery staple", "alice@example.com", "your own name"),
        ("correct horse battery staple", "x" * 100 + "yzabc" * 40, "at most 256"),
    ],
)
def test_bf08_a_password_that_may_not_be_one_changes_nothing(
    app: Any, acme: Tenant, current: str, new: str, said: str
) -> None:
    person = at_account(app, acme, path="account/password")
    person.submit(current_password=current, new_password=new)
    assert person.answer.status_code == 200 and said in person.html and 'role="alert"' in person.html
    assert new not in person.html or not new
    assert at_account(app, acme).at == "account"


def test_the_present_password_counts_like_a_sign_in(app: Any, acme: Tenant) -> None:
    person = at_account(app, acme, path="account/password")
    for _ in range(acme.policy.account_failures):
        person.submit(current_password="wrong", new_password=NEW)
        assert person.answer.status_code == 200
    person.submit(current_password="correct horse battery staple", new_password=NEW)
    assert person.answer.status_code == 429 and "Retry-After" in person.answer.headers


def test_one_browser_and_all_others_are_signed_out(app: Any, acme: Tenant, database: Any) -> None:
    first, second = at_account(app, acme), at_account(app, acme)
    person = at_account(app, acme, path="account/sessions")
    ids = re.findall(r'name="action" value="([0-9a-f-]{36})"', person.html)
    assert len(ids) == 2 and "This browser" in person.html
    person.submit(action=ids[0])
    assert "That browser is signed out" in person.html
    left = [each for each in (first, second) if each.open("account").at == "account"]
    assert len(left) == 1
    third = at_account(app, acme)
    person.open("account/sessions").submit(action="others")
    assert "Every other browser is signed out" in person.html
    assert third.open("account").at == left[0].open("account").at == "interaction/login"
    assert person.open("account").at == "account"


def test_people_change_what_their_tenant_leaves_to_them(
    app: Any, acme: Tenant, globex: Tenant, database: Any
) -> None:
    acme = policy(acme, profile_fields=["name", "phone_number"])
    with entered(acme):
        users.update("alice", {"phone_number": "+49 30 1", "phone_number_verified": True, "nickname": "Al"})
    person = at_account(app, acme)
    assert 'id="profile-change"' in person.html
    person.open("account/profile")
    assert 'value="Alice Adams"' in person.html and 'name="nickname"' not in person.html
    person.submit(name="  Alice   Ames ", phone_number="+49 30 1234567", nickname="Boss", action="keep")
    assert (
        person.at == "account" and "Your profile is changed." in person.html and "Alice Ames" in person.html
    )
    with entered(acme):
        claims = users.show("alice").claims
    assert claims["name"] == "Alice Ames" and claims["nickname"] == "Al"
    assert claims["phone_number"] == "+49 30 1234567" and "phone_number_verified" not in claims
    rp = relying_party(app, acme)
    tokens = rp.exchange(rp.authorize(person.browser, scope="openid profile").code)
    assert rp.userinfo(tokens["access_token"]).get_json()["name"] == "Alice Ames"
    same = {"name": "Alice Ames", "phone_number": "+49 30 1234567", "action": "keep"}
    assert "as it was" in person.open("account/profile").submit(**same).html
    person.open("account/profile").submit(**same | {"phone_number": ""})
    with entered(acme):
        assert "phone_number" not in users.show("alice").claims
    with entered(globex):
        assert users.show("alice").claims["name"] == "Alice Archer"
    assert events(database, acme, "profile.changed") == 2


@pytest.mark.parametrize("wrong", ["+49 \u202e30", "call me", "0" * 90])
def test_what_is_no_such_claim_is_told_at_its_field(app: Any, acme: Tenant, wrong: str) -> None:
    acme = policy(acme, profile_fields=["name", "phone_number"])
    person = at_account(app, acme, path="account/profile").submit(
        name="Al", phone_number=wrong, action="keep"
    )
    assert person.at == "account/profile" and 'id="phone_number-mistake"' in person.html
    assert 'value="Al"' in person.html, "what was typed is lost"
    with entered(acme):
        assert users.show("alice").claims["name"] == "Alice Adams"


def test_a_tenant_may_keep_profiles_to_itself(app: Any, acme: Tenant) -> None:
    acme = policy(acme, profile_fields=[])
    person = at_account(app, acme)
    assert 'id="profile-change"' not in person.html
    assert person.open("account/profile").answer.status_code == 404


def test_a_trusted_device_is_listed_and_forgotten(
    app: Any, acme: Tenant, globex: Tenant, database: Any
) -> None:
    mine = with_app(acme)
    trusted = at_mfa(app, acme, "account").submit(code=mine.code(), action="verify", remember="1")
    assert database("SELECT count(*) FROM remembered_devices") == [(1,)]
    with entered(acme):
        (device,) = devices.of_user(user(acme))
    page = trusted.open("account/sessions")
    assert page.html.count('value="forget:') == 1 and str(device.id) in page.html
    bob = at_account(app, acme, "bob", "account/sessions")
    twin = at_account(app, globex, path="account/sessions")
    for other in (bob, twin):
        assert "forget:" not in other.html
        other.submit(action=f"forget:{device.id}")
        assert "forgotten already" in other.html
    assert "asked for there again" in page.submit(action=f"forget:{device.id}").html
    assert "forget:" not in page.html and events(database, acme, "device.forgotten") == 1


def test_nobody_signs_out_a_stranger(app: Any, acme: Tenant, globex: Tenant, database: Any) -> None:
    """Bob names the session of Alice, and one of a tenant that is none of his business."""
    alice, charlie = at_account(app, acme), at_account(app, globex)
    bob = at_account(app, acme, "bob", "account/sessions")
    for (session,) in database("SELECT id FROM sessions"):
        bob.open("account/sessions").submit(action=str(session))
        assert bob.at == "account/sessions"
    for action in ("", "x", "0" * 36, "\u0660" * 36):
        bob.submit(action=action)
        assert bob.answer.status_code == 200
    assert alice.open("account").at == charlie.open("account").at == bob.open("account").at == "account"


def test_an_application_loses_its_access(app: Any, acme: Tenant, database: Any) -> None:
    rp = relying_party(app, acme, "asks")
    visit = rp.authorize().login("alice").consent()
    tokens = rp.exchange(visit.code)
    person = at_account(app, acme, path="account/applications")
    assert "Acme Asks First" in person.html and "keeps access while you are signed out" in person.html
    assert "See your e-mail address" in person.html and "openid" not in re.sub(r"\s", "", person.html)
    [client] = re.findall(r'name="action" value="([0-9a-f-]{36})"', person.html)
    person.submit(action=client)
    assert (
        "Acme Asks First has no access any more" in person.html and "No application has access" in person.html
    )
    assert rp.refresh(tokens["refresh_token"]).status_code == 400
    assert rp.introspect(tokens["access_token"]) == {"active": False}
    assert 'id="consent-form"' in rp.authorize(visit.browser).html, "it has to ask again"
    assert events(database, acme, "consent.withdrawn") == 1


def test_bob_takes_nothing_away_from_alice(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme, "asks")
    tokens = rp.exchange(rp.authorize().login("alice").consent().code)
    alice = at_account(app, acme, path="account/applications")
    [client] = re.findall(r'name="action" value="([0-9a-f-]{36})"', alice.html)
    bob = at_account(app, acme, "bob", "account/applications")
    assert "No application has access" in bob.html
    form = inputs(bob.open("account/sessions").html)
    assert (
        bob.browser.post("/t/acme/account/applications", data={**form, "action": client}).status_code == 403
    )
    assert rp.refresh(tokens["refresh_token"]).status_code == 200


def test_history_is_ones_own_and_in_words(app: Any, acme: Tenant, globex: Tenant) -> None:
    Person(app, acme).open("account").sign_in("alice", "wrong")
    at_account(app, globex)
    at_account(app, acme, "bob")
    person = at_account(app, acme, path="account/history")
    assert person.html.count("You signed in<") == 1 and person.html.count("A sign-in failed") == 1
    assert "Your account was created" in person.html and "127.0.0.1" in person.html
    assert "erased" not in person.html and "session.started" not in person.html


def test_older_events_are_behind_a_link(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    for _ in range(35):
        rp.authorize(browser, prompt="none")
    person = Person(app, acme, browser).open("account/history")
    older = re.search(r'href="([^"]+before=[^"]+)"', person.html)
    assert older is not None and person.html.count("You signed in to Acme Web") == 30
    rest = browser.get(older[1].removeprefix("http://localhost")).get_data(as_text=True)
    assert rest.count("You signed in to Acme Web") == 6 and "before=" not in rest
    for nonsense in ("x", "2026", "2026-01-01T00:00:00", "9" * 41, "%00"):
        assert person.open(f"account/history?before={nonsense}").answer.status_code in {200, 400}


def test_br02_a_form_of_another_browser_page_session_or_site_does_nothing(app: Any, acme: Tenant) -> None:
    alice = at_account(app, acme, path="account/sessions")
    mallory = at_account(app, acme, path="account/sessions")
    page = "/t/acme/account/sessions"
    for form in (
        {},
        {"csrf": ""},
        inputs(mallory.html),
        inputs(at_account(app, acme, path="account/password").html),
    ):
        assert alice.browser.post(page, data={**form, "action": "others"}).status_code == 403
    good = inputs(alice.html)
    for headers in ({"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = alice.browser.post(page, data={**good, "action": "others"}, headers=headers)
        assert answer.status_code == 403
    assert mallory.open("account").at == "account"


def test_tn01_a_session_of_the_twin_is_nothing_here(app: Any, acme: Tenant, globex: Tenant) -> None:
    alice = at_account(app, acme)
    token = alice.browser.get_cookie("idp_acme_session").value
    there = Person(app, globex)
    there.browser.set_cookie("idp_globex_session", token)
    assert there.open("account").at == "interaction/login"


def test_tn05_a_disabled_person_is_out_at_once(app: Any, acme: Tenant) -> None:
    alice = at_account(app, acme)
    with entered(acme):
        users.suspend("alice")
    assert alice.open("account").at == "interaction/login"
    alice.sign_in()
    assert 'id="form-error"' in alice.html


def test_somebody_else_may_confirm_and_is_then_who_is_signed_in(
    dangerous: Any, acme: Tenant, frozen: Any
) -> None:
    with frozen() as clock:
        person = at_account(dangerous, acme)
        clock.tick(timedelta(seconds=sessions.FRESH + 1))
        person.open("account/dangerous").sign_in("bob")
        assert "done by bob" in person.html


def test_too_many_unfinished_sign_ins_are_counted_here_too(app: Any, acme: Tenant) -> None:
    policy(acme, unfinished_authorizations=3)
    answers = [Person(app, acme).open("account").answer.status_code for _ in range(5)]
    assert answers[:3] == [200] * 3 and answers[-1] == 429
