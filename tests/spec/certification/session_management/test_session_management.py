"""The certification plan for session management, module by module but for what only a browser can say (beside)."""

import hashlib
from typing import Any

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import change, client, party, policy
from tests.playing import RelyingParty, relying_party
from tests.spec.certification.leaving import leave, policy_of, signed_in

STATE = "idp_acme_state"


@pytest.fixture
def watching(acme: Tenant) -> Tenant:
    return policy(acme, session_management=True)


@pytest.fixture
def rp(app: Any, watching: Tenant) -> RelyingParty:
    return relying_party(app, watching)


def value(browser: Any) -> str:
    cookie = browser.get_cookie(STATE)
    return cookie.value if cookie is not None else ""


def said(browser: Any, rp: RelyingParty, told: str) -> str:
    """What the frame computes (Session Management 1.0 §3.2)."""
    hashed, salt = told.split(".")
    text = f"{rp.client_id} http://localhost:8001 {value(browser)} {salt}"
    return "unchanged" if hashlib.sha256(text.encode()).hexdigest() == hashed else "changed"


def discovery(app: Any) -> dict[str, Any]:
    return dict(app.test_client().get("/t/acme/.well-known/openid-configuration").get_json())


def test_oidcc_session_management_discovery_endpoint_verification(app: Any, watching: Tenant) -> None:
    document = discovery(app)
    assert document["check_session_iframe"] == f"{watching.issuer}/check-session"
    assert document["end_session_endpoint"] == f"{watching.issuer}/logout"


def test_oidcc_session_management_rp_initiated_logout(rp: RelyingParty) -> None:
    browser = rp.browser()
    told = rp.authorize(browser).login("alice").params["session_state"]
    assert said(browser, rp, told) == "unchanged"
    again = rp.authorize(browser, prompt="none").params["session_state"]
    assert again != told and said(browser, rp, again) == said(browser, rp, told) == "unchanged"
    leave(rp, browser)
    assert said(browser, rp, told) == said(browser, rp, again) == "changed"
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"


def test_3_a_policy_decides_and_discovery_says_so(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    browser = rp.browser()
    params = rp.authorize(browser).login("alice").params
    assert "session_state" not in params and browser.get_cookie(STATE) is None
    assert "check_session_iframe" not in discovery(app)
    assert app.test_client().get("/t/acme/check-session").status_code == 404


def test_2_only_openid_requests_are_told(rp: RelyingParty) -> None:
    visit = rp.authorize(scope="offline_access").login("alice")
    assert "session_state" not in visit.params and "code" in visit.params


def test_3_1_the_state_follows_the_person(rp: RelyingParty) -> None:
    browser = rp.browser()
    told = rp.authorize(browser).login("alice").params["session_state"]
    rp.authorize(browser, prompt="login").login("alice")
    assert said(browser, rp, told) == "unchanged", "the same person's session goes on"
    rp.authorize(browser, prompt="login").login("bob")
    assert said(browser, rp, told) == "changed"


def test_3_1_a_session_that_was_ended_elsewhere_is_noticed_at_the_next_look(
    rp: RelyingParty, database: Any
) -> None:
    from idp.control import users
    from idp.tenants import entered

    browser = rp.browser()
    told = rp.authorize(browser).login("alice").params["session_state"]
    with entered(rp.tenant):
        assert users.sign_out("alice") == 1
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"
    assert said(browser, rp, told) == "changed"


def test_lo08_the_frame_is_for_the_tenants_own_applications(app: Any, watching: Tenant) -> None:
    answer = app.test_client().get("/t/acme/check-session")
    assert answer.status_code == 200 and answer.mimetype == "text/html"
    directives = policy_of(answer)
    assert directives["default-src"] == "'none'" and directives["script-src"].startswith("'nonce-")
    ancestors = directives["frame-ancestors"].split()
    assert {"http://localhost:8001", "http://localhost:8003"} <= set(ancestors) and "*" not in ancestors
    assert "X-Frame-Options" not in answer.headers
    html = answer.get_data(as_text=True)
    assert 'data-cookie="idp_acme_state"' in html and "<form" not in html and "<a" not in html


def test_lo08_very_many_applications_make_no_endless_header(app: Any, watching: Tenant) -> None:
    uris = [f"https://app{number}.example.com/cb" for number in range(50)]
    client(watching, "many", redirect_uris=uris)
    client(watching, "more", redirect_uris=[uri.replace("app", "more") for uri in uris])
    answer = app.test_client().get("/t/acme/check-session")
    assert policy_of(answer)["frame-ancestors"] == "https:"


def test_lo08_what_a_script_may_read_opens_nothing(app: Any, rp: RelyingParty, database: Any) -> None:
    browser = rp.browser()
    visit = rp.authorize(browser).login("alice")
    set_by = [line for line in visit.answer.headers.getlist("Set-Cookie") if line.startswith(f"{STATE}=")]
    assert len(set_by) == 1 and "HttpOnly" not in set_by[0] and "Path=/" in set_by[0]
    [(own, number)] = database("SELECT sid, id::text FROM sessions")
    session = browser.get_cookie("idp_acme_session").value
    assert value(browser) and value(browser) not in {own, number, session}
    thief = rp.browser()
    for name in (STATE, "idp_acme_session"):
        thief.set_cookie(name, value(browser))
    assert rp.authorize(thief, prompt="none").params["error"] == "login_required"


def test_lo08_two_applications_cannot_compare_what_they_are_told(app: Any, rp: RelyingParty) -> None:
    change(rp.tenant, "web", frontchannel_logout_session_required=True)
    browser, claims = signed_in(rp)
    made = client(rp.tenant, "other", secret="o" * 40, redirect_uris=["http://localhost:8001/other"])
    other = party(app, rp.tenant, made, "o" * 40)
    told = [each.authorize(browser, scope="openid").params["session_state"] for each in (rp, other)]
    assert len({one.split(".")[0] for one in told}) == 2
    assert said(browser, rp, told[0]) == "unchanged" and said(browser, rp, told[1]) == "changed"
    assert claims["sid"] not in "".join(told)
