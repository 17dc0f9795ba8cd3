"""Races: many at once, all from behind one barrier, and exactly one outcome."""

from typing import Any

import pytest

from idp.accounts import sessions
from idp.control import users
from idp.store.durable import grants
from idp.store.durable import users as people
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, events, policy
from tests.playing import RelyingParty, inputs, relying_party
from tests.spec.rfc7591.registering import GOOD, ask, initial


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def codes_of(answers: list[Any]) -> list[str]:
    return sorted(
        "won" if answer.status_code == 200 else str(answer.get_json()["error"]) for answer in answers
    )


@pytest.mark.parametrize("client_id", ["web", "spa"])
def test_rc01_co02_of_many_clients_on_one_code_one_wins(
    app: Any, acme: Tenant, database: Any, client_id: str
) -> None:
    rp = relying_party(app, acme, client_id)
    code = rp.authorize(scope="openid offline_access").login("alice").code
    answers = at_once(THREADS, lambda _: rp.redeem(code))
    found = codes_of(answers)
    # On a crowded machine a loser may be told to come back: that is no second winner.
    assert found.count("won") == 1 and set(found) <= {"won", "invalid_grant", "temporarily_unavailable"}
    assert (
        database("SELECT count(*) FROM grants")[0][0]
        == database("SELECT count(*) FROM refresh_tokens")[0][0]
        == 1
    )
    tokens = next(answer.get_json() for answer in answers if answer.status_code == 200)
    revoked = database("SELECT revoked_at IS NOT NULL FROM grants")[0][0]
    # Losers after the winner's commit are replays and end all that it made; losers before it are refused alone.
    assert rp.userinfo(tokens["access_token"]).status_code == (401 if revoked else 200)
    assert rp.refresh(tokens["refresh_token"]).status_code == (400 if revoked else 200)
    assert (events(database, acme, "code.replayed") > 0) is revoked
    assert rp.redeem(code).get_json()["error"] == "invalid_grant"
    assert rp.userinfo(tokens["access_token"]).status_code == 401


def test_rc01_at_two_tenants_at_once_only_the_right_one_answers(
    app: Any, acme: Tenant, globex: Tenant, rp: RelyingParty
) -> None:
    code = rp.authorize().login("alice").code
    other = relying_party(app, globex)
    answers = at_once(
        16, lambda n: rp.redeem(code) if n == 7 else other.redeem(code, code_verifier=rp.verifier)
    )
    assert codes_of(answers).count("won") == 1 and answers[7].status_code == 200
    assert rp.userinfo(answers[7].get_json()["access_token"]).status_code == 200


def test_rc02_rt02_of_many_refreshes_there_is_one_successor(rp: RelyingParty, database: Any) -> None:
    token = rp.sign_in()["refresh_token"]
    answers = at_once(THREADS, lambda _: rp.refresh(token))
    assert set(codes_of(answers)) <= {"won", "temporarily_unavailable"}
    bodies = [answer.get_json() for answer in answers if answer.status_code == 200]
    assert len({body["refresh_token"] for body in bodies}) == 1 and len(bodies) > THREADS // 2
    assert len({body["access_token"] for body in bodies}) == len(bodies)
    assert database("SELECT count(*), max(generation) FROM refresh_tokens") == [(2, 1)]
    assert rp.refresh(bodies[0]["refresh_token"]).status_code == 200


def test_rc02_children_and_parents_at_once_leave_one_family_or_none(rp: RelyingParty, database: Any) -> None:
    first = rp.sign_in()["refresh_token"]
    second = rp.refresh(first).get_json()["refresh_token"]
    answers = at_once(THREADS, lambda n: rp.refresh(first if n % 2 else second))
    won = {answer.get_json()["refresh_token"] for answer in answers if answer.status_code == 200}
    assert len(won) <= 2 and {answer.status_code for answer in answers} <= {200, 400}
    assert database("SELECT count(*) FROM refresh_tokens")[0][0] <= 3
    assert database("SELECT count(*) FROM grants")[0][0] == 1
    if database("SELECT revoked_at IS NOT NULL FROM grants")[0][0]:
        assert all(rp.refresh(token).status_code == 400 for token in {first, second, *won})


def test_rc13_nothing_is_minted_after_the_person_was_disabled(rp: RelyingParty, acme: Tenant) -> None:
    browser = rp.browser()
    codes = [rp.authorize(browser).login("alice").code]
    verifiers = [rp.verifier]
    for _ in range(7):
        codes.append(rp.authorize(browser).code)
        verifiers.append(rp.verifier)

    def act(number: int) -> Any:
        if number < 8:
            return rp.redeem(codes[number], code_verifier=verifiers[number])
        with entered(acme):
            return users.suspend("alice")

    answers = at_once(9, act)[:8]
    assert {answer.status_code for answer in answers} <= {200, 400}
    for answer in answers:
        if answer.status_code == 200:  # it came first; what it got died with the person
            body = answer.get_json()
            assert rp.userinfo(body["access_token"]).status_code == 401
            assert rp.refresh(body["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_rc14_a_withdrawn_consent_and_a_refresh_end_as_if_one_after_the_other(
    app: Any, acme: Tenant, database: Any
) -> None:
    rp = relying_party(app, acme, "asks")
    body = rp.exchange(rp.authorize().login("alice").consent().code)
    row = database("SELECT user_id, client_id FROM grants")[0]

    def act(number: int) -> Any:
        if number:
            return rp.refresh(body["refresh_token"])
        with entered(acme):
            return grants.revoke_of_user(row[0], "consent withdrawn", row[1])

    answers = at_once(9, act)[1:]
    tokens = {answer.get_json()["refresh_token"] for answer in answers if answer.status_code == 200}
    assert len(tokens) <= 1
    for token in {body["refresh_token"], *tokens}:
        assert rp.refresh(token).get_json()["error"] == "invalid_grant"


def test_rc15_a_sign_out_and_a_refresh_end_as_if_one_after_the_other(rp: RelyingParty, acme: Tenant) -> None:
    browser = rp.browser()
    token = rp.exchange(rp.authorize(browser, scope="openid").login("alice").code)["refresh_token"]
    form = {**inputs(browser.get("/t/acme/logout").get_data(as_text=True)), "action": "confirm"}

    def act(number: int) -> Any:
        return rp.refresh(token) if number else browser.post("/t/acme/logout/confirm", data=form)

    answers = at_once(9, act)
    assert answers[0].status_code == 303
    for answer in answers[1:]:
        if answer.status_code == 200:
            body = answer.get_json()
            assert rp.userinfo(body["access_token"]).status_code == 401
            assert rp.refresh(body["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert rp.refresh(token).get_json()["error"] == "invalid_grant"


def test_rc15_the_sessions_limit_holds_after_many_signed_in_at_once(
    rp: RelyingParty, acme: Tenant, database: Any
) -> None:
    few = policy(acme, sessions_per_user=3)
    with entered(few):
        alice = people.by_username("alice")
        assert alice is not None

    def act(_: int) -> Any:
        with entered(few):
            return sessions.start(alice, ("pwd",), "192.0.2.1", None)

    at_once(12, act)
    act(0)  # those who overtook each other may be too many until the next sign-in
    assert database("SELECT count(*) FROM sessions WHERE ended_at IS NULL")[0][0] == 3


def test_rc11_an_initial_access_token_for_one_registers_one(app: Any, acme: Tenant, database: Any) -> None:
    there = policy(acme, client_registration="token", registrations=1_000)
    token = initial(there, uses=1)
    answers = at_once(THREADS, lambda _: ask(app, there, "POST", token, GOOD))
    found = sorted(answer.status_code for answer in answers)
    assert found.count(201) == 1 and set(found) <= {201, 401, 503}
    assert database("SELECT count(*) FROM registrations")[0][0] == 1
