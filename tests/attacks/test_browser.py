"""The browser: no page is framed, forged, fixed, kept or done twice."""

import re
from dataclasses import replace
from typing import Any

import pytest

from idp import config, explain, journal
from idp.tenants import Tenant, entered
from idp.web import cookies
from tests.attacks.acting import at_once, events
from tests.playing import PASSWORDS, RelyingParty, inputs, local, relying_party

SESSION, BINDING = "idp_acme_session", "idp_acme_browser"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme, "asks")


def pages(rp: RelyingParty) -> list[Any]:
    """One answer of each kind of page: sign-in, failed, consent, sign-out, signed out, errors, start pages."""
    visit = rp.authorize()
    found = [visit.answer]
    visit.submit(username="alice", password="wrong", action="login")
    found.append(visit.answer)
    visit.login("alice")
    found.append(visit.answer)
    get = visit.browser.get
    found += [
        get("/t/acme/logout"),
        get("/t/acme/logout/done"),
        get("/t/acme/authorize"),
        get("/t/acme/logout?client_id=x"),
        get("/t/acme/"),
        get("/"),
        get("/t/acme/interaction/login?tx=x"),
        get("/t/acme/interaction/consent?tx=x"),
    ]
    return found


def test_br01_br11_br14_br15_every_page_is_closed(rp: RelyingParty) -> None:
    for page in pages(rp):
        assert page.mimetype == "text/html", page.get_data(as_text=True)[:200]
        policy = dict(
            part.strip().partition(" ")[::2] for part in page.headers["Content-Security-Policy"].split(";")
        )
        assert (
            policy["default-src"] == "'none'"
            and policy["frame-ancestors"] == "'none'"
            and policy["base-uri"] == "'none'"
        )
        assert policy["form-action"].startswith("'self'") or policy["form-action"] == "'none'"
        assert (
            "unsafe" not in page.headers["Content-Security-Policy"]
            and "*" not in page.headers["Content-Security-Policy"]
        )
        assert page.headers["X-Frame-Options"] == "DENY" and page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        returns = 'name="csrf"' in page.get_data(as_text=True)
        assert page.headers["Referrer-Policy"] == ("same-origin" if returns else "no-referrer")
        assert not re.search(r"\son[a-z]+=", page.get_data(as_text=True)) and " style=" not in page.get_data(
            as_text=True
        )


def test_br02_nobody_is_signed_in_by_somebody_elses_form(rp: RelyingParty) -> None:
    attacker, victim = rp.authorize(), rp.authorize()
    form = {"username": "bob", "password": "paper lantern quiet harbour", "action": "login"}
    forged = [
        (victim.page, {**form, **inputs(attacker.html)}),
        (victim.page, form),
        (attacker.page, {**form, **inputs(attacker.html)}),
        (attacker.page, {**form, **inputs(victim.html)}),
    ]
    for page, values in forged:
        answer = victim.browser.post(page, data=values)
        assert answer.status_code in {400, 403} and victim.browser.get_cookie(SESSION) is None
    stranger = rp.browser()
    assert stranger.post(victim.page, data={**form, **inputs(victim.html)}).status_code in {400, 403}
    for headers in ({"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = victim.browser.post(victim.page, data={**form, **inputs(victim.html)}, headers=headers)
        assert answer.status_code == 403 and victim.browser.get_cookie(SESSION) is None
    own = victim.browser.post(
        victim.page, data={**form, **inputs(victim.html)}, headers={"Origin": "http://localhost"}
    )
    assert own.status_code == 303 and victim.browser.get_cookie(SESSION) is not None


def test_br03_the_session_is_new_at_each_sign_in(rp: RelyingParty) -> None:
    browser = rp.browser()
    browser.set_cookie(SESSION, "A" * 43)
    rp.authorize(browser).login("alice")
    first = browser.get_cookie(SESSION).value
    assert first != "A" * 43 and len(first) == 43
    rp.authorize(browser, prompt="login").login("alice")
    second = browser.get_cookie(SESSION).value
    assert second != first
    old = rp.browser()
    old.set_cookie(SESSION, first)
    assert rp.authorize(old, prompt="none").params["error"] == "login_required"
    rp.authorize(browser, prompt="login").login("bob")
    old.set_cookie(SESSION, second)
    assert rp.authorize(old, prompt="none").params["error"] == "login_required"


def test_br04_a_step_of_another_browser_is_nothing_here(rp: RelyingParty) -> None:
    attacker = rp.authorize()
    victim = rp.browser()
    rp.authorize(victim).login("alice")
    for page in (attacker.page, attacker.page.replace("login", "consent")):
        answer = victim.get(page)
        assert answer.status_code == 400 and "code=" not in str(answer.headers)
        unknown = victim.get(re.sub("tx=.*", "tx=" + "x" * 43, page))
        masked = [
            re.sub(r'nonce="[^"]+"|"request-id"[^>]*>\w+|[\w-]{20,}', "", each.get_data(as_text=True))
            for each in (answer, unknown)
        ]
        assert unknown.status_code == 400 and masked[0] == masked[1]


def test_br05_cookies_are_bound_and_bare(rp: RelyingParty, app: Any) -> None:
    visit = rp.authorize()
    answer = visit.browser.post(
        visit.page,
        data={
            **inputs(visit.html),
            "username": "alice",
            "action": "login",
            "password": "correct horse battery staple",
        },
    )
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert (
            cookie.startswith("idp_acme_")
            and "HttpOnly" in cookie
            and "SameSite=Lax" in cookie
            and "Path=/" in cookie
        )
        assert (
            "Domain" not in cookie and "Secure" not in cookie
        )  # http on this machine; https is judged below
    browser = rp.browser()
    token = visit.browser.get_cookie(SESSION).value
    for header in (
        f"={SESSION}={token}",
        f"{SESSION}={token}; {SESSION}={'A' * 43}",
        f" ; ={SESSION}; x={SESSION}={token}",
    ):
        path = "/t/acme/authorize?prompt=none&" + "&".join(
            f"{k}={v}" for k, v in rp.request(scope="openid", redirect_uri=rp.redirect_uri).items()
        )
        answer = browser.get(path, headers={"Cookie": header})
        assert "error=login_required" in answer.headers["Location"], header


def test_br05_on_https_cookies_are_host_locked_and_secure(
    rp: RelyingParty, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "settings", lambda: replace(settings, base_url="https://localhost"))
    with entered(rp.tenant):
        assert cookies.name(cookies.SESSION) == "__Host-idp_acme_session"


def test_br06_a_session_of_one_tenant_is_none_in_the_other(
    app: Any, acme: Tenant, globex: Tenant, rp: RelyingParty
) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    token = browser.get_cookie(SESSION).value
    browser.set_cookie("idp_globex_session", token)
    assert relying_party(app, globex).authorize(browser, prompt="none").params["error"] == "login_required"


@pytest.mark.parametrize("attack", ["missing", "other step", "GET", "JSON", "override", "multipart"])
def test_br07_a_form_without_its_token_does_nothing(rp: RelyingParty, attack: str) -> None:
    visit = rp.authorize().login("alice")
    form = {**inputs(visit.html), "action": "allow"}
    post = visit.browser.post
    if attack == "missing":
        answer = post(visit.page, data={"action": "allow"})
    elif attack == "other step":
        answer = post(
            visit.page,
            data={**form, "csrf": inputs(rp.authorize(visit.browser, prompt="login").html)["csrf"]},
        )
    elif attack == "GET":
        answer = visit.browser.get(f"{visit.page}&action=allow&csrf={form['csrf']}")
    elif attack == "JSON":
        answer = post(visit.page, json=form)
    elif attack == "multipart":
        answer = post(visit.page, data=form, content_type="multipart/form-data")
    else:
        answer = visit.browser.get(visit.page, headers={"X-HTTP-Method-Override": "POST"})
    assert "code=" not in answer.headers.get("Location", "") and answer.status_code in {200, 403, 415}
    assert rp.authorize(visit.browser, prompt="none").params["error"] == "consent_required"


def test_br09_what_was_shown_is_what_is_granted(rp: RelyingParty) -> None:
    browser = rp.browser()
    visit = rp.authorize(browser, scope="openid").login("alice")
    assert (
        rp.exchange(visit.submit(action="allow", scope="openid email offline_access").code)["scope"]
        == "openid"
    )
    wider = rp.authorize(browser, scope="openid email")
    assert 'id="consent-form"' in wider.html
    assert rp.authorize(browser, scope="openid email", prompt="none").params["error"] == "consent_required"
    other = rp.authorize(browser, scope="openid profile")
    crossed = {"csrf": inputs(other.html)["csrf"], "action": "allow"}
    assert browser.post(wider.page, data=crossed).status_code == 403


@pytest.mark.parametrize("client_id", ["asks", "web"])
def test_br09_prompt_consent_always_asks(app: Any, acme: Tenant, client_id: str) -> None:
    rp = relying_party(app, acme, client_id)
    browser = rp.browser()
    for _ in range(2):
        visit = rp.authorize(browser, prompt="consent")
        visit = visit.login("alice") if 'id="login-form"' in visit.html else visit
        assert 'id="consent-form"' in visit.html
        assert rp.exchange(visit.consent().code)["refresh_token"]


@pytest.mark.parametrize("first", ["allow", "deny"])
def test_br10_a_decision_is_made_once(rp: RelyingParty, acme: Tenant, database: Any, first: str) -> None:
    visit = rp.authorize().login("alice")
    form = {**inputs(visit.html), "action": "allow"}
    page, old = visit.page, [visit.browser.get_cookie(name) for name in (SESSION, BINDING, "idp_acme_resume")]
    visit.consent(first)
    assert ("code" in visit.params) is (first == "allow")
    browser = rp.browser()
    for cookie in old:
        browser.set_cookie(cookie.key, cookie.value)
    for answer in (browser.post(page, data=form), browser.get(page), visit.browser.post(page, data=form)):
        assert answer.status_code == 400 and 'data-kind="done"' in answer.get_data(as_text=True)
    assert events(database, acme, "authorization.granted") == (1 if first == "allow" else 0)


def test_br10_sixteen_posts_at_once_make_one_code(app: Any, acme: Tenant, database: Any) -> None:
    rp = relying_party(app, acme, "asks")
    visit = rp.authorize().login("alice")
    form = {**inputs(visit.html), "action": "allow"}
    browsers = [rp.browser() for _ in range(16)]
    for browser in browsers:
        for name in (SESSION, BINDING, "idp_acme_resume"):
            browser.set_cookie(name, visit.browser.get_cookie(name).value)
    answers = at_once(16, lambda number: browsers[number].post(visit.page, data=form))
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 15
    assert events(database, acme, "authorization.granted") == 1


def test_br10_the_browser_keeps_the_session_that_counts_when_a_sign_in_is_sent_twice(
    app: Any, acme: Tenant
) -> None:
    rp = relying_party(app, acme)
    visit = rp.authorize()
    form = {
        **inputs(visit.html),
        "username": "alice",
        "password": "correct horse battery staple",
        "action": "login",
    }
    browsers = [rp.browser() for _ in range(4)]
    for browser in browsers:
        for name in (BINDING, "idp_acme_resume"):
            browser.set_cookie(name, visit.browser.get_cookie(name).value)
    answers = at_once(4, lambda number: browsers[number].post(visit.page, data=form))
    assert sum("code=" in answer.headers.get("Location", "") for answer in answers) == 1


def test_br12_br13_no_messages_between_windows_and_fields_that_managers_can_fill(rp: RelyingParty) -> None:
    html = rp.authorize().html
    assert "postMessage" not in html and "opener" not in html.replace('rel="noopener', "")
    field = re.search(r'<input[^>]*id="password"[^>]*>', html)
    name = re.search(r'<input[^>]*id="username"[^>]*>', html)
    assert field and 'type="password"' in field[0] and 'autocomplete="current-password"' in field[0]
    assert name and 'autocomplete="username' in name[0] and "onpaste" not in html


def test_br16_a_step_that_is_not_due_is_not_done(rp: RelyingParty) -> None:
    visit = rp.authorize()
    consent = visit.page.replace("/login", "/consent")
    for form in ({}, {"action": "allow"}, {**inputs(visit.html), "action": "allow"}):
        answer = visit.browser.post(consent, data=form)
        assert answer.status_code in {403, 415}
    answer = visit.browser.get(consent)
    assert answer.status_code == 303 and local(answer.headers["Location"], rp.tenant) == visit.page
    answer = visit.browser.post(visit.page, data=inputs(visit.html))
    assert answer.status_code == 200 and 'id="login-form"' in answer.get_data(as_text=True)


def _form(html: str, name: str) -> str:
    found = re.search(rf'<form id="{name}"[^>]* action="([^"]+)"', html)
    assert found is not None, html
    return found.group(1).replace("&amp;", "&")


def test_br12_a_form_says_where_it_goes_and_needs_no_button(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme, "asks")
    visit = rp.authorize()
    assert local(_form(visit.html, "login-form"), acme) == visit.page
    visit.submit(username="alice", password=PASSWORDS["acme", "alice"])
    assert local(_form(visit.html, "consent-form"), acme) == visit.page
    assert visit.submit().params["error"] == "access_denied"


def test_br12_signing_out_needs_no_button_either(rp: RelyingParty, acme: Tenant) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    page = browser.get("/t/acme/logout").get_data(as_text=True)
    answer = browser.post("/t/acme/logout/confirm", data=inputs(page))
    assert answer.headers["Location"] == f"{acme.issuer}/logout/done"
    assert browser.get("/t/acme/logout").headers["Location"] == f"{acme.issuer}/logout/done"


@pytest.mark.parametrize(
    "path", ["interaction/login?tx=x", "interaction/consent?tx=x", "authorize", "logout?state=%00"]
)
def test_every_page_of_a_refusal_tells_its_request_and_why(app: Any, acme: Tenant, path: str) -> None:
    answer = app.test_client().get(f"/t/acme/{path}")
    found = re.search(r'id="request-id"[^>]*>([^<]+)<', answer.get_data(as_text=True))
    assert answer.status_code == 400 and found is not None
    assert found.group(1) == answer.headers["X-Request-Id"]
    journal.flush()
    with entered(acme):
        assert explain.look_up(found.group(1))


def test_a_page_that_is_too_old_tells_its_request(rp: RelyingParty, acme: Tenant, frozen: Any) -> None:
    with frozen() as clock:
        visit = rp.authorize()
        clock.tick(1_801)
        page = visit.browser.get(visit.page)
    assert 'data-kind="old"' in page.get_data(as_text=True) and 'id="request-id"' in page.get_data(
        as_text=True
    )
