"""A second tenant of ours is the upstream OpenID provider, over HTTP; twins trust it under the very same names."""

import time

import pytest

from idp.control import tenants, upstreams, users
from idp.prove.visitor import discovery
from idp.store.durable import identities
from tests.federating import PASSWORD, SECRET, World, button, by_corp, named, offered, query, trust
from tests.playing import PASSWORDS

pytestmark = pytest.mark.slow


def test_a_new_person_gets_an_account_and_comes_back_as_the_same(there: World) -> None:
    party, browser = there.party("acme"), there.browser()
    first = named(by_corp(there, party, browser), party)
    assert first["iss"] == there.issuer("acme") and first["amr"] == ["fed", "pwd"] and first["acr"] == "1"
    assert abs(first["auth_time"] - time.time()) < 60
    with tenants.enter("acme"):
        user = users.show(first["sub"])
        assert user.email == "carol@corp.example" and user.email_verified and user.claims["name"] == "Carol"
        (identity,) = identities.of_user(user.id)
        assert identity.issuer == there.issuer("corp") and identity.shown == "carol@corp.example"
    other = there.browser()
    again = named(by_corp(there, party, other), party)
    assert again["sub"] == first["sub"]
    # The session is an ordinary one: the next application asks nobody.
    assert party.code(party.authorize(other, prompt="none"))


def test_twins_that_trust_the_same_upstream_know_two_people(there: World) -> None:
    browser, subjects = there.browser(), {}
    for slug in ("acme", "globex"):
        party = there.party(slug)
        subjects[slug] = named(by_corp(there, party, browser, "dave"), party)["sub"]
    assert subjects["acme"] != subjects["globex"]
    with tenants.enter("corp"):
        corps = str(users.show("dave").id)
    assert corps not in subjects.values()
    for slug, subject in subjects.items():
        with tenants.enter(slug):
            found = identities.find(there.issuer("corp"), corps)
            assert found is not None and str(found.user_id) == subject


def test_pw13_the_question_binds_the_answer(there: World) -> None:
    party, browser = there.party("acme"), there.browser()
    page = party.authorize(browser)
    away = browser._ask("GET", button(page.text, "Corp"), None)
    asked = query(away.header("Location"))
    assert away.status == 303
    assert away.header("Location").startswith(f"{there.issuer('corp')}/authorize?")
    assert asked["redirect_uri"] == f"{there.issuer('acme')}/upstream/corp/callback"
    assert asked["code_challenge_method"] == "S256" and len(asked["state"]) == 43 == len(asked["nonce"])
    assert {"prompt", "max_age"}.isdisjoint(asked)
    again = query(browser._ask("GET", button(page.text, "Corp"), None).header("Location"))
    assert all(again[name] != asked[name] for name in ("state", "nonce", "code_challenge"))
    assert (
        discovery(there.net, there.issuer("corp"))["authorization_response_iss_parameter_supported"] is True
    )


def test_asking_anew_is_asked_upstream_and_seen(there: World) -> None:
    party, browser = there.party("acme"), there.browser()
    before = named(by_corp(there, party, browser), party)
    page = party.authorize(browser, prompt="login")
    asked = browser.get(button(page.text, "Corp"))
    assert 'id="login-form"' in asked.text and asked.url.startswith(there.issuer("corp"))
    back = browser.submit(asked, "login-form", "login-submit", username="carol", password=PASSWORD)
    after = named(back, party)
    assert after["sub"] == before["sub"] and after["auth_time"] >= before["auth_time"]


def test_a_sign_in_that_the_upstream_remembers_is_as_old_as_it_says(there: World) -> None:
    browser = there.browser()
    acme, globex = there.party("acme"), there.party("globex")
    first = named(by_corp(there, acme, browser), acme)
    time.sleep(1.1)  # auth_time has whole seconds
    second = named(by_corp(there, globex, browser), globex)
    assert second["auth_time"] == first["auth_time"]


def test_the_back_button_and_two_tabs_end_at_the_application_or_at_a_way_on(there: World) -> None:
    party, browser = there.party("acme"), there.browser()
    page = party.authorize(browser)
    one, two = (browser._ask("GET", button(page.text, "Corp"), None).header("Location") for _ in range(2))
    login = browser.get(one)
    back = browser.submit(login, "login-form", "login-submit", username="carol", password=PASSWORD)
    assert party.code(back)
    late = browser.get(two)  # the other tab comes back when the sign-in is over
    assert late.status == 400 and 'id="stale"' in late.text and "/t/acme/" in late.text


def test_who_says_no_at_the_upstream_may_try_another_way(there: World) -> None:
    party, browser = there.party("acme"), there.browser()
    page = browser.get(button(party.authorize(browser).text, "Corp"))
    refused = browser.submit(page, "login-form", "login-cancel")
    assert refused.status == 400 and 'data-kind="declined"' in refused.text
    way = refused.text.split('class="button button-primary" href="')[1].split('"')[0]
    again = browser.get(way)
    done = browser.submit(
        again, "login-form", "login-submit", username="alice", password=PASSWORDS["acme", "alice"]
    )
    assert party.code(done)


def test_pw12_an_address_that_is_there_links_nothing(there: World) -> None:
    with tenants.enter("globex"):
        users.create(
            {"username": "erin", "email": "erin@corp.example", "password": "x" * 20, "email_verified": True}
        )
    with tenants.enter("corp"):
        users.create({
            "username": "erin", "email": "erin@corp.example", "password": PASSWORD,
            "email_verified": True,
        })  # fmt: skip
    party, browser = there.party("globex"), there.browser()
    page = by_corp(there, party, browser, "erin")
    assert page.status == 403 and 'data-kind="taken"' in page.text and "Location" not in dict(page.headers)
    with tenants.enter("globex"):
        assert identities.of_user(users.show("erin").id) == ()
    assert not browser.cookie("globex_session")


def test_an_upstream_that_is_removed_signs_out_whom_it_signed_in(there: World) -> None:
    party, browser, other = there.party("globex"), there.browser(), there.browser()
    named(by_corp(there, party, browser), party)
    tokens = party.sign_in(other, "alice", PASSWORDS["globex", "alice"])
    tab = there.browser()
    away = tab._ask("GET", button(party.authorize(tab).text, "Corp"), None).header("Location")
    with tenants.enter("globex"):
        upstreams.delete("corp")
    try:
        assert party.returned(party.authorize(browser, prompt="none"))["error"] == "login_required"
        assert party.userinfo(tokens["access_token"]).status == 200, "who signed in otherwise is signed out"
        login = tab.get(away)
        late = tab.submit(login, "login-form", "login-submit", username="carol", password=PASSWORD)
        assert late.status == 400 and 'data-kind="failed"' in late.text
    finally:
        trust(there, "globex")
        offered(there, "globex")


def test_who_is_disabled_here_does_not_come_in_by_the_upstream(there: World) -> None:
    party = there.party("acme")
    subject = named(by_corp(there, party, there.browser(), "dave"), party)["sub"]
    with tenants.enter("acme"):
        users.update(subject, {"status": "disabled"})
    refused = by_corp(there, party, there.browser(), "dave")
    assert refused.status == 403 and 'data-kind="nobody"' in refused.text
    with tenants.enter("acme"):
        users.update(subject, {"status": "active"})
    assert SECRET not in refused.text


def test_nobody_new_gets_in_where_creation_is_off(there: World) -> None:
    with tenants.enter("globex"):
        upstreams.update("corp", {"creation": False})
    with tenants.enter("corp"):
        users.create({"username": "frank", "password": PASSWORD})
    try:
        refused = by_corp(there, there.party("globex"), there.browser(), "frank")
        assert refused.status == 403 and 'data-kind="nobody"' in refused.text
    finally:
        with tenants.enter("globex"):
            upstreams.update("corp", {"creation": True})
