"""Second factors: what is worth what, what is used up, who may set one up, and that half a sign-in is none."""

import re
from typing import Any

import pytest

from idp import directory
from idp.accounts import devices, factors
from idp.audit import Actor
from idp.control import factors as desk_verbs
from idp.control import groups
from idp.control import users as people
from idp.errors import Conflict, Invalid
from idp.store import redis
from idp.store.durable import authenticators, recovery_codes
from idp.tenants import Tenant, entered
from tests.attacks.acting import at_once, change, events, policy
from tests.attacks.factoring import at, shown_codes, shown_key, user, with_app, with_codes
from tests.playing import Visit, inputs, relying_party


def _claims(rp: Any, visit: Visit) -> dict[str, Any]:
    return dict(rp.verified(rp.exchange(visit.code)["id_token"], rp.client_id))


def _cookies(browser: Any) -> set[str]:
    return {cookie.key for cookie in browser._cookies.values()}


def _jar(browser: Any, tenant: Tenant) -> dict[str, str]:
    return {key: browser.get_cookie(key).value for key in _cookies(browser)}


def test_mf04_two_factors_are_what_the_tokens_say(app: Any, acme: Tenant) -> None:
    mine, rp = with_app(acme), relying_party(app, acme)
    visit = at(rp.authorize().login("alice"), "mfa").submit(code=mine.code(), action="verify")
    tokens = rp.exchange(visit.code)
    claims = rp.verified(tokens["id_token"], "web")
    assert claims["acr"] == "2" and claims["amr"] == ["pwd", "otp", "mfa"]
    told = rp.introspect(tokens["access_token"])
    assert (told["acr"], told["amr"], told["auth_time"]) == ("2", claims["amr"], claims["auth_time"])
    fresh = rp.refresh(tokens["refresh_token"]).get_json()
    assert rp.verified(fresh["id_token"], "web")["amr"] == claims["amr"]
    assert _claims(rp, rp.authorize().login("bob"))["acr"] == "1"


def test_mf02_half_a_sign_in_is_none(app: Any, acme: Tenant) -> None:
    with_app(acme)
    rp = relying_party(app, acme)
    visit = at(rp.authorize().login("alice"), "mfa")
    browser = visit.browser
    assert not any(name.endswith("_session") for name in _cookies(browser))
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"
    at(rp.authorize(browser), "login")
    for name in ("consent", "account", "codes", "enrol"):
        page = visit.page.replace("/mfa", f"/{name}")
        assert browser.get(page).status_code == 303
        answer = browser.post(page, data={**inputs(visit.html), "action": "allow", "code": "123456"})
        assert "code=" not in answer.headers.get("Location", "")
    skipped = browser.post(visit.page, data={**inputs(visit.html), "action": "continue", "code": ""})
    assert skipped.status_code == 200 and "Enter a code" in skipped.get_data(as_text=True)


def test_mf02_the_first_factor_counts_in_the_browser_that_gave_it(app: Any, acme: Tenant) -> None:
    """An attacker who has planted the browser's binding shares the transaction, and not what was given in it."""
    mine, rp = with_app(acme), relying_party(app, acme)
    visit = at(rp.authorize().login("alice"), "mfa")
    attacker = rp.browser()
    for name, value in _jar(visit.browser, acme).items():
        if not re.search(r"_proof-[0-9a-f]+$", name):
            attacker.set_cookie(name, value)
    assert "/interaction/login" in attacker.get(visit.page).headers["Location"]
    posted = attacker.post(visit.page, data={**inputs(visit.html), "code": mine.code(), "action": "verify"})
    assert "/interaction/login" in posted.headers["Location"] and not any(
        name.endswith("_session") for name in _cookies(attacker)
    )
    assert visit.submit(code=mine.code(), action="verify").code


def test_br03_the_session_is_new_after_each_factor(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    browser = rp.browser()
    assert rp.authorize(browser).login("alice").code
    before = browser.get_cookie("idp_acme_session").value
    mine = with_app(acme)
    assert at(rp.authorize(browser, acr_values="2"), "mfa").submit(code=mine.code(), action="verify").code
    after = browser.get_cookie("idp_acme_session").value
    assert after != before
    old = rp.browser()
    old.set_cookie("idp_acme_session", before)
    assert rp.authorize(old, prompt="none").params["error"] == "login_required"
    assert rp.authorize(browser, prompt="none").code


def test_mf01_rc08_a_code_lets_in_exactly_one_of_many(
    app: Any, acme: Tenant, database: Any, frozen: Any
) -> None:
    mine, rp = with_app(acme), relying_party(app, acme)
    policy(acme, second_factor_failures=100)
    code = mine.code()
    visits = [at(relying_party(app, acme).authorize().login("alice"), "mfa") for _ in range(32)]

    def give(number: int) -> Any:
        visit = visits[number]
        form = {**inputs(visit.html), "code": code, "action": "verify"}
        return visit.browser.post(visit.page, data=form)

    answers = at_once(32, give)
    assert sum("code=" in answer.headers.get("Location", "") for answer in answers) == 1
    assert sum(any(n.endswith("_session") for n in _cookies(v.browser)) for v in visits) == 1
    again = at(rp.authorize().login("alice"), "mfa").submit(code=code, action="verify")
    assert at(again, "mfa").answer.status_code == 200 and "used already" in again.html


def test_mf07_one_step_early_and_one_late_count_and_no_more(app: Any, acme: Tenant, frozen: Any) -> None:
    rp = relying_party(app, acme)
    for ahead, right in ((-2, False), (2, False), (-1, True), (1, True)):
        with frozen() as time:
            with entered(acme):
                authenticators.remove(user(acme).id)
            mine = with_app(acme)
            time.tick(60)
            visit = at(rp.authorize().login("alice"), "mfa").submit(code=mine.code(ahead), action="verify")
            assert ("code" in ((visit.location and visit.params) or {})) is right


def test_mf01_the_code_of_an_earlier_step_is_no_good_once_a_later_one_was_used(
    app: Any, acme: Tenant, frozen: Any
) -> None:
    rp = relying_party(app, acme)
    with frozen() as time:
        mine = with_app(acme)
        time.tick(90)
        assert at(rp.authorize().login("alice"), "mfa").submit(code=mine.code(1), action="verify").code
        at(at(rp.authorize().login("alice"), "mfa").submit(code=mine.code(), action="verify"), "mfa")


def test_mf05_rc09_a_recovery_code_works_once_and_is_recorded(app: Any, acme: Tenant, database: Any) -> None:
    with_app(acme)
    codes, rp = with_codes(acme), relying_party(app, acme)
    visit = at(rp.authorize().login("alice"), "mfa")
    done = visit.submit(
        way="recovery", code=f" {codes[0].upper()[:8]}-{codes[0].upper()[8:]} ", action="verify"
    )
    claims = _claims(rp, done)
    assert claims["acr"] == "2" and "mfa" in claims["amr"]
    assert events(database, acme, "recovery_code.used") == 1
    with entered(acme):
        assert recovery_codes.left(user(acme).id) == {"recovery": 9}
    second = at(rp.authorize().login("alice"), "mfa").submit(way="recovery", code=codes[0], action="verify")
    at(second, "mfa")
    kept = database("SELECT digest FROM recovery_codes")
    assert all(codes[0].encode() not in bytes(row[0]) for row in kept)
    new = with_codes(acme)
    at(second.submit(way="recovery", code=codes[1], action="verify"), "mfa")
    assert second.submit(way="recovery", code=new[1], action="verify").code


def test_mf03_who_must_have_a_factor_and_has_none_sets_it_up_and_nobody_replaces_one(
    app: Any, acme: Tenant, database: Any
) -> None:
    policy(acme, second_factor="required")
    rp = relying_party(app, acme)
    visit = at(rp.authorize().login("alice"), "enrol")
    wrong = at(visit.submit(code="000000", action="keep"), "enrol")
    mine = shown_key(wrong)
    with entered(acme):
        assert not factors.held_by(user(acme).id).own
    codes = shown_codes(at(wrong.submit(code=mine.code(), action="keep"), "codes"))
    assert len(codes) == 10 and len(set(codes)) == 10
    assert shown_codes(rp_page(wrong)) == codes  # the page may be loaded again
    saved = wrong.browser.post(wrong.page, data={**inputs(wrong.html), "action": "save"})
    assert saved.headers["Content-Disposition"].startswith("attachment") and codes[3] in saved.get_data(
        as_text=True
    )
    claims = _claims(rp, wrong.submit(action="done"))
    assert claims["acr"] == "2" and claims["amr"] == ["pwd", "otp", "mfa"]
    seeds = redis_texts()
    assert not any(code.replace("-", "") in text for code in codes for text in seeds)
    # A second sign-in, with the password alone, is asked for the factor and cannot set up another.
    other = at(rp.authorize().login("alice"), "mfa")
    enrol = other.page.replace("/mfa", "/enrol")
    assert "/interaction/mfa" in other.browser.get(enrol).headers["Location"]
    with entered(acme):
        ticket = factors.totp.begin(user(acme)).ticket
        with pytest.raises(Conflict):
            factors.enrol_totp(user(acme), ticket, "000000", replacing=False)
    for event in ("authenticator.added", "recovery_codes.made"):
        assert events(database, acme, event) == 1


def rp_page(visit: Visit) -> Visit:
    """The same page, loaded again."""
    return Visit(visit.rp, visit.browser, visit.browser.get(visit.page), visit.page)


def redis_texts() -> list[str]:
    """Everything that lies in Redis, as text."""
    found = []
    for name in redis.call(lambda client: list(client.scan_iter(match="idp:*"))):
        kind = redis.call(lambda client, name=name: client.type(name))
        if kind == b"string":
            found.append(str(redis.call(lambda client, name=name: client.get(name))))
    return found


def test_mf03_an_old_session_sets_nothing_up_before_it_has_proved_itself_anew(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    browser = rp.browser()
    assert rp.authorize(browser).login("alice").code
    policy(acme, second_factor="required")
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"
    page = at(rp.authorize(browser), "login")
    at(page.login("alice"), "enrol")


def test_au08_a_secret_that_is_moved_to_another_person_or_tenant_opens_nothing(
    app: Any, twins: tuple[Tenant, Tenant], database: Any
) -> None:
    acme, globex = twins
    mine = with_app(acme)
    with_app(globex)
    with_app(acme, "bob")
    sealed = database("SELECT sealed FROM authenticators WHERE user_id = %s", str(user(acme).id))[0][0]
    assert mine.secret not in sealed.encode()
    for tenant, name in ((globex, "alice"), (acme, "bob")):
        database(
            "UPDATE authenticators SET sealed = %s WHERE user_id = %s", sealed, str(user(tenant, name).id)
        )
        visit = at(relying_party(app, tenant).authorize().login(name), "mfa")
        answer = visit.browser.post(
            visit.page, data={**inputs(visit.html), "code": mine.code(), "action": "verify"}
        )
        assert answer.status_code == 200 and "code=" not in answer.headers.get("Location", "")


def test_bf06_five_wrong_codes_are_the_end_for_a_while_and_a_recovery_code_still_opens(
    app: Any, acme: Tenant, database: Any, frozen: Any
) -> None:
    with frozen() as time:
        mine, rp = with_app(acme), relying_party(app, acme)
        codes = with_codes(acme)
        visit = at(rp.authorize().login("alice"), "mfa")
        for _ in range(5):
            at(visit.submit(code="000000", action="verify"), "mfa")
        stopped = visit.browser.post(
            visit.page, data={**inputs(visit.html), "code": mine.code(), "action": "verify"}
        )
        assert stopped.status_code == 429 and int(stopped.headers["Retry-After"]) > 0
        fresh = at(rp.authorize().login("alice"), "mfa")  # another challenge counts on
        assert (
            fresh.browser.post(
                fresh.page, data={**inputs(fresh.html), "code": mine.code(), "action": "verify"}
            ).status_code
            == 429
        )
        assert fresh.submit(way="recovery", code=codes[0], action="verify").code
        assert events(database, acme, "second_factor.failed") == 5
        time.tick(901)
        assert at(rp.authorize().login("alice"), "mfa").submit(code=mine.code(), action="verify").code


def test_bf06_a_day_has_its_own_limit_from_wherever_it_is_tried(app: Any, acme: Tenant, frozen: Any) -> None:
    acme = policy(acme, second_factor_failures_daily=3)
    mine, rp = with_app(acme), relying_party(app, acme)
    for number in range(3):
        visit = at(rp.authorize().login("alice"), "mfa")
        answer = visit.browser.post(
            visit.page,
            data={**inputs(visit.html), "code": "000000", "action": "verify"},
            environ_base={"REMOTE_ADDR": f"198.51.100.{number + 1}"},
        )
        assert answer.status_code == 200
    visit = at(rp.authorize().login("alice"), "mfa")
    assert (
        visit.browser.post(
            visit.page,
            data={**inputs(visit.html), "code": mine.code(), "action": "verify"},
            environ_base={"REMOTE_ADDR": "198.51.100.99"},
        ).status_code
        == 429
    )


def test_mf02_a_new_password_in_the_middle_ends_what_the_old_one_began(app: Any, acme: Tenant) -> None:
    mine, rp = with_app(acme), relying_party(app, acme)
    visit = at(rp.authorize().login("alice"), "mfa")
    with entered(acme):
        people.update("alice", {"password": "a new and better password"})
    at(visit.submit(code=mine.code(), action="verify"), "login")


def test_mf02_a_first_factor_waits_ten_minutes(app: Any, acme: Tenant, frozen: Any) -> None:
    with frozen() as time:
        mine, rp = with_app(acme), relying_party(app, acme)
        visit = at(rp.authorize().login("alice"), "mfa")
        time.tick(601)
        at(visit.submit(code=mine.code(), action="verify"), "login")


def test_mf08_a_trusted_device_is_asked_again_where_it_matters(app: Any, acme: Tenant, frozen: Any) -> None:
    with frozen() as time:
        mine, rp = with_app(acme), relying_party(app, acme)
        browser = rp.browser()
        visit = at(rp.authorize(browser).login("alice"), "mfa")
        assert visit.submit(code=mine.code(), remember="yes", action="verify").code
        browser.delete_cookie("idp_acme_session")
        claims = _claims(rp, rp.authorize(browser).login("alice"))
        assert claims["acr"] == "1" and claims["amr"] == ["pwd"]
        browser.delete_cookie("idp_acme_session")
        at(rp.authorize(browser, acr_values="2").login("alice"), "mfa")
        at(rp.authorize(browser, prompt="login").login("alice"), "mfa")
        at(rp.authorize(browser, max_age="5").login("alice"), "mfa")
        stolen = rp.browser()
        stolen.set_cookie("idp_acme_trusted", browser.get_cookie("idp_acme_trusted").value)
        with_app(acme, "bob")
        at(rp.authorize(stolen).login("bob"), "mfa")  # another person's device
        time.tick(30 * 86_400 + 1)
        at(rp.authorize(browser).login("alice"), "mfa")


def test_mf08_trust_ends_with_the_password_and_with_the_policy(
    app: Any, twins: tuple[Tenant, Tenant]
) -> None:
    acme, globex = twins
    with_app(acme)
    person = user(acme)
    with entered(acme):
        token = devices.remember(person, "Firefox")
        assert devices.known(person, token) and not devices.known(person, "x" * 43)
        people.update("alice", {"password": "a new and better password"})
        assert not devices.known(user(acme), token)
        again = devices.remember(user(acme), None)
    with entered(globex):
        assert not devices.known(user(globex), again)
    with entered(policy(acme, remembered_device=0)):
        assert not devices.known(user(acme), again) and devices.remember(user(acme), None) is None


def test_mf04_a_client_that_needs_two_factors_gets_them(app: Any, acme: Tenant) -> None:
    change(acme, "web", require_second_factor=True)
    rp, spa = relying_party(app, acme), relying_party(app, acme, "spa")
    browser = rp.browser()
    assert spa.authorize(browser).login("alice").code
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"
    mine = with_app(acme)
    assert rp.authorize(browser, prompt="none").params["error"] == "interaction_required"
    visit = at(rp.authorize(browser), "mfa").submit(code=mine.code(), action="verify")
    claims = _claims(rp, visit)
    assert claims["acr"] == "2" and claims["amr"] == ["pwd", "otp", "mfa"]
    policy(acme, second_factor="off")
    assert rp.authorize().params["error"] == "unmet_authentication_requirements"


def test_roles_that_must_have_a_second_factor(app: Any, acme: Tenant) -> None:

    acme = policy(acme, second_factor_roles=["admin"])
    with entered(acme):
        role = groups.create_role("admin")
        groups.give(role, user(acme))
    directory.forget_all()
    rp = relying_party(app, acme)
    at(rp.authorize().login("alice"), "enrol")
    assert rp.authorize().login("bob").code


def test_a_person_goes_back_to_be_somebody_else(app: Any, acme: Tenant) -> None:
    with_app(acme)
    rp = relying_party(app, acme)
    visit = at(rp.authorize().login("alice"), "mfa")
    back = at(visit.submit(action="other"), "login")
    assert back.login("bob").code
    cancelled = at(rp.authorize().login("alice"), "mfa").submit(action="cancel")
    assert cancelled.params["error"] == "access_denied"


def test_another_persons_answer_is_not_that_of_the_hint(app: Any, acme: Tenant) -> None:
    mine, rp = with_app(acme, "bob"), relying_party(app, acme)
    hint = rp.sign_in("alice")["id_token"]
    visit = at(rp.authorize(id_token_hint=hint).login("bob"), "mfa")
    assert visit.submit(code=mine.code(), action="verify").params["error"] == "login_required"


def test_the_help_desk_gives_a_code_for_an_hour_and_takes_factors_away(
    app: Any, acme: Tenant, database: Any, frozen: Any
) -> None:
    with_app(acme)
    with_codes(acme)
    rp, desk = relying_party(app, acme), Actor("operator", "carol", reason="lost her phone, ticket 7")
    with frozen() as time:
        with entered(acme):
            with pytest.raises(Invalid):
                desk_verbs.temporary_code("alice", Actor("operator", "carol"))
            code, _ = desk_verbs.temporary_code("alice", desk)
            desk_verbs.temporary_code("bob", desk)
        visit = at(rp.authorize().login("alice"), "mfa")
        assert visit.submit(way="recovery", code=code, action="verify").code
        at(at(rp.authorize().login("alice"), "mfa").submit(way="recovery", code=code, action="verify"), "mfa")
        at(rp.authorize().login("bob"), "mfa")  # the code itself is a second factor while it is good
        time.tick(3601)
        assert rp.authorize().login("bob").code
    browser = visit.browser
    with entered(acme):
        assert desk_verbs.reset("alice", desk) == {
            "authenticators": 1,
            "passkeys": 0,
            "recovery_codes": 11,
            "devices": 0,
        }
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"
    assert rp.authorize(browser).login("alice").code
    for event in ("temporary_code.used", "factors.reset"):
        assert events(database, acme, event) == 1
    assert events(database, acme, "temporary_code.made") == 2
