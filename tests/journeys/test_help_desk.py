"""`idp user why` and `idp user unlock`: what stops somebody, what changes it, and that it then does."""

import json

import pytest

from idp import directory, throttle
from idp.accounts import authenticate, factors, mailed
from idp.accounts.authenticate import SignInFailed
from idp.accounts.mailed import Place
from idp.audit import Actor
from idp.control import help_desk, users
from idp.errors import Invalid, NotFound, TooMany
from idp.ids import secret
from idp.jobs import worker
from idp.store.durable import credentials
from idp.tenants import entered
from tests.attacks.acting import policy
from tests.attacks.factoring import with_passkey
from tests.playing import PASSWORDS
from tests.running import TOP, idp, up

DESK = Actor("operator", "carol", reason="ticket 7")
ADDRESS = "192.0.2.7"
RIGHT = PASSWORDS["acme", "alice"]


@pytest.fixture(autouse=True)
def _fresh():
    throttle.forget()
    yield
    throttle.forget()


def reasons(name="alice"):
    """Code → (stops, command) of what is told."""
    told = help_desk.why(name, DESK)
    return {each["code"]: (each["stops"], each["command"]) for each in told["reasons"]}


def wrong(times, name="alice"):
    for _ in range(times):
        with pytest.raises(SignInFailed):
            authenticate.with_password(name, "wrong", ADDRESS)


def test_a_wrong_password_is_told_from_nothing(in_acme):
    assert reasons()["nothing"] == (False, "")
    wrong(1)
    told = help_desk.why("alice", DESK)
    assert not told["stopped"] and told["lately"][0]["event"] == "sign_in.failed"
    assert told["lately"][0]["address"] == ADDRESS
    assert reasons()["wrong"] == (False, "idp user send-reset alice --tenant acme")
    assert reasons()["limit.account"] == (False, "")


def test_a_limit_is_named_with_its_end_and_lifted(in_acme):
    wrong(10)
    with pytest.raises(TooMany):
        authenticate.with_password("alice", RIGHT, ADDRESS)
    told = help_desk.why("alice", DESK)
    (limit,) = [each for each in told["reasons"] if each["code"] == "limit.account"]
    assert told["stopped"] and limit["stops"] and limit["command"] == "idp user unlock alice --tenant acme"
    said = "10 of 10 wrong passwords from one address, until "
    assert limit["sentence"].startswith((f"{said}4 min", f"{said}5 min"))
    assert help_desk.unlock("alice", DESK) == ("alice", 2)
    assert authenticate.with_password("alice", RIGHT, ADDRESS).username == "alice"
    assert help_desk.why("alice", DESK)["lately"][0]["event"] == "user.unlocked"


def test_another_tenants_namesake_is_not_unlocked(twins):
    acme, globex = twins
    for tenant in twins:
        with entered(tenant):
            wrong(10)
    with entered(acme):
        assert help_desk.why("alice", DESK)["stopped"]
        help_desk.unlock("alice", DESK)
        assert not help_desk.why("alice", DESK)["stopped"]
    with entered(globex), pytest.raises(TooMany):
        authenticate.with_password("alice", PASSWORDS["globex", "alice"], ADDRESS)


def test_what_an_account_lacks_is_told_with_the_command(in_acme):
    users.suspend("alice", DESK)
    assert reasons()["status"] == (True, "idp user resume alice --tenant acme")
    users.resume("alice", DESK)
    credentials.remove_password(users.show("alice").id)
    assert reasons()["password"] == (True, "idp user send-reset alice --tenant acme")
    with_passkey(in_acme)
    assert reasons()["password"] == (False, "")
    users.create({"username": "dora", "email": "dora@example.com", "password": "x"}, DESK)
    assert reasons("dora")["email"][1] == "idp user update dora --tenant acme --email-verified"
    policy(in_acme, second_factor="required")
    with entered(directory.resolve("acme")):
        assert reasons("dora")["second_factor"] == (False, "")


def test_wrong_second_factors_are_counted_apart(in_acme):
    user = users.show("alice")
    for _ in range(5):
        held = factors.attempt(user, factors.TOTP, ADDRESS)
        factors.turned_away(user, factors.TOTP, ADDRESS, held)
    assert reasons()["limit.second_factor"] == (True, "idp user unlock alice --tenant acme")
    help_desk.unlock("alice", DESK)
    factors.attempt(user, factors.TOTP, ADDRESS).give_back()


def test_a_person_is_found_by_a_confirmed_address_and_nobody_by_another(in_acme):
    email = users.show("alice").email
    assert help_desk.find(email).username == "alice"
    users.create({"username": "una", "email": "una@example.com"}, DESK)
    for name in ("una@example.com", "nobody", "", "x" * 5000):
        with pytest.raises(NotFound):
            help_desk.find(name)


def test_that_somebody_asked_is_recorded(in_acme, database):
    help_desk.why("alice", DESK)
    rows = database("SELECT actor->>'reason' FROM audit_log WHERE event = 'user.shown'")
    assert ("ticket 7",) in rows


def test_a_code_by_e_mail_that_waits_is_told_and_sent_anew(acme):
    def ask():
        place = Place(secret(), "web", ADDRESS, "a browser")
        row = mailed.ask("alice", place, None)
        worker.once()
        return row, place.transaction

    with entered(policy(acme, email_sign_in="code")):
        row, tx = ask()
        assert reasons()["email_code"] == (False, "idp user send-code alice --tenant acme")
        assert reasons()["limit.mail"] == (False, "")
        assert users.send_code("alice", DESK) is None
        code, link = users.send_code("alice", DESK, reveal=True)
        assert link == "" and mailed.judge(row, tx, code, mailed.SIGN_IN) == users.show("alice")
        mailed.wrong(row, ADDRESS)
        worker.once()
        assert reasons()["wrong"] == (False, "idp user send-code alice --tenant acme")
        with pytest.raises(Invalid):
            users.send_code("bob", DESK)
        users.suspend("alice")
        with pytest.raises(Invalid):
            users.send_code("alice", DESK)
        users.resume("alice")
        credentials.remove_password(users.show("alice").id)
        assert reasons()["password"] == (False, "")
        ask()
        assert [each["event"] for each in help_desk.why("alice", DESK)["lately"]].count(
            "email_code.sent"
        ) >= 2


@pytest.mark.slow
def test_the_commands(tmp_path):
    with up(tmp_path / "home", "--blueprint", str(TOP / "examples/demo/blueprint.yaml")) as running:
        running.wait_ready()

        def user(*words):
            return idp("user", *words, "--tenant", "acme", "--home", str(running.home))

        told = user("why", "alice")
        assert told.returncode == 0 and told.stderr.startswith("Nothing stops alice."), told
        assert user("suspend", "alice").returncode == 0
        told = user("why", "alice", "--json")
        assert told.returncode == 1 and json.loads(told.stdout)["stopped"] is True
        assert "idp user resume alice --tenant acme" in user("why", "alice").stderr
        assert "alice may try again" in user("unlock", "alice").stderr
        assert user("why", "nobody").returncode == 2
        told = user("send-code", "bob")
        assert told.returncode == 2 and "No sign-in of this person waits" in told.stderr, told
        running.end()
