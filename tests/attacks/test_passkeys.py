"""Passkeys: good once, at one host, in one tenant, for whom they were made; everything else is one plain sentence."""

import json
from typing import Any

import pytest

from idp.accounts import passkeys
from idp.accounts.passkeys import PasskeyRefused
from idp.control import users as people
from idp.errors import Conflict
from idp.prove.authenticator import BACKED_UP, ELIGIBLE, PRESENT, VERIFIED, Passkey
from idp.prove.visitor import b64
from idp.store.durable import passkeys as rows
from idp.tenants import Tenant, entered
from tests.attacks.acting import at_once, events, policy
from tests.attacks.factoring import (
    at,
    options,
    origin_of,
    shown_codes,
    user,
    with_app,
    with_codes,
    with_passkey,
)
from tests.playing import RelyingParty, Visit, inputs, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    """An application of acme."""
    return relying_party(app, acme)


def _told(rp: RelyingParty, visit: Visit) -> dict[str, Any]:
    return dict(rp.verified(rp.exchange(visit.code)["id_token"], "web"))


def _refused(visit: Visit, answer: str) -> None:
    page = at(visit.submit(passkey=answer, action="passkey"), "login")
    assert page.answer.status_code == 200 and "That passkey does not work here" in page.html
    assert page.browser.get_cookie("idp_acme_session") is None


def test_a_passkey_signs_in_by_itself_and_is_two_factors(rp: RelyingParty, acme: Tenant) -> None:
    key = with_passkey(acme)
    visit = at(rp.authorize(), "login")
    assert "allowCredentials" not in options(visit) or not json.loads(options(visit))["allowCredentials"]
    told = _told(rp, visit.submit(passkey=key.get(options(visit)), action="passkey"))
    assert told["acr"] == "2" and told["amr"] == ["hwk", "user", "mfa"] and told["sub"] == str(user(acme).id)
    with entered(acme):
        (kept,) = passkeys.of_user(user(acme).id)
    assert kept.used_at is not None and not kept.backup_eligible


def test_a_synced_passkey_says_so(rp: RelyingParty, acme: Tenant) -> None:
    key = with_passkey(acme, flags=PRESENT | VERIFIED | ELIGIBLE)
    visit = rp.authorize()
    told = _told(
        rp, visit.submit(passkey=key.get(options(visit), flags=key.flags | BACKED_UP), action="passkey")
    )
    assert told["amr"] == ["swk", "user", "mfa"]
    with entered(acme):
        (kept,) = passkeys.of_user(user(acme).id)
    assert kept.backup_eligible and kept.backed_up


def test_a_second_factor_after_a_password_needs_presence_alone(rp: RelyingParty, acme: Tenant) -> None:
    key = with_passkey(acme)
    visit = at(rp.authorize().login("alice"), "mfa")
    assert [each["id"] for each in json.loads(options(visit))["allowCredentials"]] == [b64(key.identifier)]
    told = _told(
        rp, visit.submit(passkey=key.get(options(visit), flags=PRESENT, handle=None), action="passkey")
    )
    assert told["acr"] == "2" and told["amr"] == ["pwd", "hwk", "user", "mfa"]


def test_wa01_a_challenge_is_answered_once_young_and_where_it_was_made(
    rp: RelyingParty, acme: Tenant, frozen: Any
) -> None:
    with frozen() as time:
        key = with_passkey(acme)
        visit = rp.authorize()
        good = key.get(options(visit))
        assert visit.submit(passkey=good, action="passkey").code
        _refused(rp.authorize(), good)  # replayed in another sign-in
        other, mine = rp.authorize(), rp.authorize()
        _refused(mine, key.get(options(other)))
        late = rp.authorize()
        answer = key.get(options(late))
        time.tick(901)
        _refused(late, answer)
        made_up = rp.authorize()
        _refused(made_up, key.get(options(made_up), challenge=b64(b"c" * 40)))
        _refused(made_up, key.get(options(made_up), challenge=""))


def test_wa01_one_answer_lets_in_exactly_one_of_many(rp: RelyingParty, acme: Tenant) -> None:
    key, visit = with_passkey(acme), rp.authorize()
    form = {**inputs(visit.html), "passkey": key.get(options(visit)), "action": "passkey"}
    browsers = [rp.browser() for _ in range(16)]
    for browser in browsers:
        for name in ("idp_acme_browser", "idp_acme_resume"):
            browser.set_cookie(name, visit.browser.get_cookie(name).value)
    answers = at_once(16, lambda number: browsers[number].post(visit.page, data=form))
    assert sum("code=" in answer.headers.get("Location", "") for answer in answers) == 1
    assert sum(browser.get_cookie("idp_acme_session") is not None for browser in browsers) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://localhost"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "null"},
        {"rp_id": "evil.example"},
        {"rp_id": "sub.localhost"},
        {"crossOrigin": True},
        {"type": "webauthn.create"},
        {"identifier": b"nobodys"},
        {"handle": None},
        {"handle": b64(b"h" * 32)},
        {"flags": VERIFIED},
        {"flags": PRESENT},
        {"flags": PRESENT | VERIFIED | BACKED_UP},
        {"flags": PRESENT | VERIFIED | ELIGIBLE},
    ],
    ids=str,
)
def test_wa02_wa03_wa05_what_is_not_as_it_was_made_is_refused(
    rp: RelyingParty, acme: Tenant, database: Any, changes: dict[str, Any]
) -> None:
    key, visit = with_passkey(acme), rp.authorize()
    _refused(visit, key.get(options(visit), **changes))
    assert events(database, acme, "sign_in.failed") == 1
    assert visit.submit(passkey=key.get(options(visit)), action="passkey").code


@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[]", "null", "[" * 5_000, '{"id": 1}', "x" * 30_000, '{"id":"a","rawId":"a","type":"public-key",'
     '"response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}'],
    ids=range(8),
)  # fmt: skip
def test_wa02_anything_at_all_is_one_sentence(rp: RelyingParty, acme: Tenant, answer: str) -> None:
    with_passkey(acme)
    _refused(rp.authorize(), answer)


def test_wa05_another_tenants_passkey_is_nobodys_here(
    app: Any, twins: tuple[Tenant, Tenant], rp: RelyingParty
) -> None:
    """Both tenants live below one host, so that the browser itself would offer it."""
    acme, globex = twins
    theirs = with_passkey(globex)
    visit = rp.authorize()
    _refused(visit, theirs.get(options(visit)))
    mine = with_passkey(acme, identifier=theirs.identifier)  # one id in both tenants
    _refused(visit, theirs.get(options(visit)))
    _refused(visit, mine.get(options(visit), handle=theirs.handle))
    elsewhere = relying_party(app, globex)
    there = elsewhere.authorize()
    done = there.submit(passkey=theirs.get(options(there)), action="passkey")
    assert elsewhere.verified(elsewhere.exchange(done.code)["id_token"], "web")["sub"] == str(user(globex).id)


def test_wa05_another_persons_passkey_is_no_second_factor(rp: RelyingParty, acme: Tenant) -> None:
    bobs = with_passkey(acme, "bob")
    with_passkey(acme)
    visit = at(rp.authorize().login("alice"), "mfa")
    page = at(visit.submit(passkey=bobs.get(options(visit)), action="passkey"), "mfa")
    assert "That passkey did not work" in page.html


def test_wa05_a_credential_is_registered_once(acme: Tenant) -> None:
    key, person = with_passkey(acme), user(acme, "bob")
    with entered(acme), pytest.raises(Conflict):
        passkeys.register(person, key.create(passkeys.creation_options(person, "s")), "s", "x")


def test_wa04_a_copy_of_a_key_is_refused_and_recorded(rp: RelyingParty, acme: Tenant, database: Any) -> None:
    key = with_passkey(acme, count=5)
    visit = rp.authorize()
    assert visit.submit(passkey=key.get(options(visit)), action="passkey").code
    copy = rp.authorize()
    _refused(copy, key.get(options(copy), count=5))
    assert events(database, acme, "passkey.copied") == 1
    assert copy.submit(passkey=key.get(options(copy)), action="passkey").code


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"crossOrigin": True},
        {"type": "webauthn.get"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"flags": PRESENT | VERIFIED | BACKED_UP},
        {"challenge": b64(b"c" * 40)},
        {"fmt": "packed", "statement": {"alg": -7, "sig": b"no"}},
        {"fmt": "packed", "statement": {"alg": -257, "sig": b"no", "x5c": [b"no"]}},
        {"fmt": "of-our-own"},
        {"statement": {"sig": b"no"}},
    ],
    ids=str,
)
def test_wa06_a_bad_registration_keeps_nothing(acme: Tenant, changes: dict[str, Any]) -> None:
    person = user(acme)
    with entered(acme):
        key = Passkey(origin_of(acme))
        given = passkeys.creation_options(person, "s")
        with pytest.raises(PasskeyRefused):
            passkeys.register(person, key.create(given, **changes), "s", "x")
        with pytest.raises(PasskeyRefused):
            passkeys.register(person, key.create(given), "another page", "x")
        assert passkeys.of_user(person.id) == ()
        passkeys.register(person, key.create(given), "s", "x")
        with pytest.raises(PasskeyRefused):
            passkeys.register(person, key.create(given), "s", "x")


def test_wa08_pages_before_the_first_factor_name_no_credential(rp: RelyingParty, acme: Tenant) -> None:
    key = with_passkey(acme)
    for name in ("alice", "nobody"):
        html = rp.authorize(login_hint=name).html
        assert b64(key.identifier) not in html and "allowCredentials&#34;: [{" not in html


def test_who_must_have_a_second_factor_makes_a_passkey_in_the_sign_in(
    rp: RelyingParty, acme: Tenant, database: Any
) -> None:
    policy(acme, second_factor="required")
    visit = at(rp.authorize().login("alice"), "enrol")
    key = Passkey(origin_of(acme))
    bad = at(
        visit.submit(passkey=key.create(options(visit), origin="https://evil.example"), action="passkey"),
        "enrol",
    )
    assert "could not be kept" in bad.html
    done = at(bad.submit(passkey=key.create(options(bad)), action="passkey"), "codes")
    assert len(shown_codes(done)) == 10
    told = _told(rp, done.submit(action="done"))
    assert told["acr"] == "2" and told["amr"] == ["pwd", "hwk", "user", "mfa"]
    assert events(database, acme, "passkey.added") == 1
    again = rp.authorize()
    assert again.submit(passkey=key.get(options(again)), action="passkey").code


def test_bf07_a_disabled_person_and_a_tenant_without_passkeys_let_nobody_in(
    rp: RelyingParty, acme: Tenant
) -> None:
    key = with_passkey(acme)
    visit = rp.authorize()
    given = options(visit)
    with entered(acme):
        people.suspend("alice")
    _refused(visit, key.get(given))
    with entered(acme):
        people.resume("alice")
    policy(acme, passkeys=False)
    page = rp.authorize()
    assert "passkey_options" not in page.html
    _refused(visit, key.get(given))


def test_other_ways_stand_beside_a_passkey_that_is_not_at_hand(rp: RelyingParty, acme: Tenant) -> None:
    with_passkey(acme)
    mine = with_app(acme)
    codes = with_codes(acme)
    visit = at(rp.authorize().login("alice"), "mfa")
    assert 'id="mfa-totp"' in visit.html and 'id="mfa-recovery"' in visit.html
    assert visit.submit(way="totp", code=mine.code(), action="verify").code
    visit = at(rp.authorize().login("alice"), "mfa")
    assert visit.submit(way="recovery", code=codes[0], action="verify").code


def test_a_name_is_one_line_of_bounded_length() -> None:
    assert passkeys.named("  My\nlaptop\u202e ") == "My laptop"
    assert passkeys.named("\x00") == "Passkey" and len(passkeys.named("x" * 500)) == passkeys.NAME_LONGEST


def test_a_passkey_belongs_to_the_host_where_it_was_made(acme: Tenant) -> None:
    with_passkey(acme)
    with entered(acme):
        (kept,) = rows.of_user(user(acme).id)
        assert kept.rp_id == "localhost"
        from idp.accounts import factors

        assert factors.held_by(user(acme).id).passkeys == 1
    moved = acme.__class__(
        **{name: getattr(acme, name) for name in acme.__slots__} | {"issuer": "https://id.acme.example"}
    )
    with entered(moved):
        assert factors.held_by(user(acme).id).passkeys == 0
        assert json.loads(passkeys.request_options("s", user(acme)))["allowCredentials"] == []
