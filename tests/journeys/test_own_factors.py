"""The account pages of second factors: set up, named, replaced, taken away; fresh, with a factor, and told by mail."""

import re
from typing import Any

import pytest

from idp.accounts import factors, own_factors, ways_in
from idp.accounts.ways_in import LastWayIn
from idp.errors import Conflict
from idp.prove.authenticator import Passkey
from idp.tenants import Tenant, entered
from tests.attacks.acting import at_once, events, policy
from tests.attacks.factoring import from_key, origin_of, user, with_app, with_passkey
from tests.playing import inputs, relying_party
from tests.visiting import Person, at_account


def _key(person: Person) -> str:
    found = re.search(r'id="totp-key"[^>]*>([A-Z2-7 ]+)<', person.html)
    assert found is not None, person.html[:400]
    return found[1]


def test_an_app_is_set_up_asked_for_replaced_and_removed(
    app: Any, acme: Tenant, database: Any, frozen: Any
) -> None:
    with frozen() as time:
        person = at_account(app, acme).open("account/authenticator")
        mine = from_key(_key(person))
        person.submit(code="000000", action="keep")
        assert "That code is not right" in person.html and _key(person).replace(" ", "")
        person.submit(code=mine.code(), action="keep")
        codes = re.findall(r"<li><code>([0-9a-z-]+)</code></li>", person.html)
        assert len(codes) == 10 and events(database, acme, "authenticator.added") == 1
        # The session has given it: nothing more is asked, and applications hear of two factors.
        assert person.open("account/authenticator").at == "account/authenticator"
        assert "Replace your authenticator app" in person.html
        rp = relying_party(app, acme)
        tokens = rp.exchange(rp.authorize(person.browser, prompt="none").code)
        assert rp.verified(tokens["id_token"], "web")["acr"] == "2"
        time.tick(31)
        other = from_key(_key(person))
        person.submit(code=other.code(), action="keep")
        with entered(acme):
            assert not factors.totp.verify(user(acme).id, mine.code(1))
        person.open("account/authenticator").submit(action="remove")
        assert person.at == "account/security" and "is removed" in person.html
        with entered(acme):
            assert factors.held_by(user(acme).id) == factors.NOTHING
        told = database("SELECT count(*) FROM outbox WHERE topic LIKE 'mail%%'")
        assert told[0][0] == 3


def test_mf03_wa09_who_has_a_factor_shows_it_before_anything_changes(app: Any, acme: Tenant) -> None:
    person = at_account(app, acme)
    mine = with_app(acme)
    for path in ("account/authenticator", "account/passkeys", "account/recovery-codes"):
        assert person.open(path).at == "interaction/mfa"
    person.submit(code=mine.code(), action="verify")
    assert person.at == "account/recovery-codes"
    person.submit(action="make")
    assert len(re.findall(r"<li><code>", person.html)) == 10


def test_wa09_an_old_session_is_asked_anew(app: Any, acme: Tenant, frozen: Any) -> None:
    with frozen() as time:
        person = at_account(app, acme)
        time.tick(301)
        assert person.open("account/passkeys").at == "interaction/login"


def test_a_passkey_is_made_named_and_removed(app: Any, acme: Tenant, database: Any) -> None:
    person = at_account(app, acme).open("account/passkeys")
    key = Passkey(origin_of(acme))
    given = inputs(person.html)["passkey_options"]
    person.submit(passkey=key.create(given, origin="https://evil.example"), action="passkey")
    assert "could not be kept" in person.html
    person.submit(passkey=key.create(inputs(person.html)["passkey_options"]), action="passkey")
    assert len(re.findall(r"<li><code>", person.html)) == 10
    with entered(acme):
        (kept,) = factors.passkeys.of_user(user(acme).id)
    person.open("account/passkeys").submit(**{f"name-{kept.id}": "Blue key"}, action=f"rename:{kept.id}")
    assert 'value="Blue key"' in person.html
    person.submit(action=f"remove:{kept.id}")
    assert person.at == "account/security" and events(database, acme, "passkey.removed") == 1
    person.open("account/passkeys").submit(action=f"remove:{kept.id}")
    assert "gone already" in person.html


def test_another_persons_passkey_is_not_ones_own(app: Any, twins: tuple[Tenant, Tenant]) -> None:
    acme, globex = twins
    with_passkey(acme, "bob")
    with entered(acme):
        (bobs,) = factors.passkeys.of_user(user(acme, "bob").id)
        assert not own_factors.remove_passkey(user(acme), bobs.id)
    with entered(globex):
        assert not own_factors.remove_passkey(user(globex, "bob"), bobs.id)


def test_wa09_the_last_factor_of_who_must_have_one_stays(acme: Tenant) -> None:
    with_app(acme)
    acme = policy(acme, second_factor="required")
    with entered(acme):
        with pytest.raises(Conflict):
            own_factors.remove_app(user(acme))
        with_passkey(acme)
        assert own_factors.remove_app(user(acme))


def test_the_last_way_in_stays_also_when_it_is_a_passkey(
    app: Any, acme: Tenant, globex: Tenant, database: Any
) -> None:
    with_passkey(acme)
    database("DELETE FROM credentials WHERE tenant_id = %s", str(acme.id))
    with entered(acme):
        (one,) = factors.passkeys.of_user(user(acme).id)
        with pytest.raises(LastWayIn):
            own_factors.remove_passkey(user(acme), one.id)
        with_passkey(acme)
        assert own_factors.remove_passkey(user(acme), one.id)
        assert len(ways_in.of(user(acme)).passkeys) == 1
    with entered(globex):
        assert ways_in.of(user(globex)) == ways_in.WaysIn(True, frozenset(), frozenset(), False)


def test_of_two_last_passkeys_taken_away_at_once_one_stays(acme: Tenant, database: Any) -> None:
    with_passkey(acme)
    with_passkey(acme)
    database("DELETE FROM credentials WHERE tenant_id = %s", str(acme.id))
    with entered(acme):
        both = factors.passkeys.of_user(user(acme).id)

    def take(number: int) -> bool:
        with entered(acme):
            try:
                return own_factors.remove_passkey(user(acme), both[number % 2].id)
            except LastWayIn:
                return False

    assert at_once(8, take).count(True) == 1


def test_passkeys_are_kept_where_nobody_is_asked_for_a_second_factor(app: Any, acme: Tenant) -> None:
    acme = policy(acme, second_factor="off")
    person = at_account(app, acme, path="account/security")
    assert "account/passkeys" in person.html and "account/authenticator" not in person.html
    for kept in (1, 2):
        given = inputs(person.open("account/passkeys").html)["passkey_options"]
        person.submit(passkey=Passkey(origin_of(acme)).create(given), action="passkey")
        assert person.answer.status_code == 200
        with entered(acme):
            assert len(factors.passkeys.of_user(user(acme).id)) == kept


def test_a_factor_that_came_meanwhile_is_told_in_a_sentence(app: Any, acme: Tenant) -> None:
    person = at_account(app, acme, path="account/passkeys")
    other = at_account(app, acme, path="account/authenticator")
    mine = from_key(_key(other))
    with_app(acme)
    given = inputs(person.html)["passkey_options"]
    for each, form in (
        (person, {"passkey": Passkey(origin_of(acme)).create(given), "action": "passkey"}),
        (other, {"code": mine.code(), "action": "keep"}),
    ):
        assert each.submit(**form).at == "interaction/mfa", "who has a factor shows it first"


def test_recovery_codes_stand_in_for_something(app: Any, acme: Tenant) -> None:
    person = at_account(app, acme).open("account/recovery-codes").submit(action="make")
    assert person.at == "account/security" and "first" in person.html
