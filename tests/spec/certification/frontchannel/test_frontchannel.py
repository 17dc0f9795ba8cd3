"""The certification plan for front-channel sign-out, module by module, and what the specification says beside it."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import change, client, party
from tests.playing import RelyingParty, local, query, relying_party
from tests.spec.certification.leaving import (
    BACK,
    STATE,
    frames,
    landed,
    leave,
    only_state,
    onward,
    out,
    policy_of,
    signed_in,
)

FRAME = "http://localhost:8001/frontchannel_logout"


@pytest.fixture
def frame_uri() -> str:
    """Where the client wants to hear of it."""
    return FRAME


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    change(acme, "web", frontchannel_logout_uri=FRAME, frontchannel_logout_session_required=True)
    return relying_party(app, acme)


def test_oidcc_frontchannel_logout_discovery_endpoint_verification(app: Any, acme: Tenant) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert document["frontchannel_logout_supported"] is True
    assert document["frontchannel_logout_session_supported"] is True
    assert document["end_session_endpoint"] == f"{acme.issuer}/logout"


def test_oidcc_frontchannel_rp_initiated_logout(rp: RelyingParty, frame_uri: str) -> None:
    browser, claims = signed_in(rp)
    answer = leave(rp, browser, id_token_hint=claims["hint"], post_logout_redirect_uri=BACK, state=STATE)
    page = landed(rp, browser, answer)
    html = page.get_data(as_text=True)
    assert page.status_code == 200 and 'id="logged-out"' in html
    (frame,) = frames(html)
    assert frame.startswith(frame_uri + "?")
    assert query(frame) == {"iss": [rp.tenant.issuer], "sid": [claims["sid"]]}
    assert only_state(onward(html)) and out(rp, browser)


def test_3_sid_is_told_to_a_client_that_needs_it_and_to_no_other(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    assert "sid" not in signed_in(rp)[1]
    change(acme, "web", frontchannel_logout_session_required=True)
    browser, claims = signed_in(rp)
    assert len(claims["sid"]) == 22
    refreshed = rp.exchange(rp.authorize(browser).code)
    again = rp.refresh(refreshed["refresh_token"]).get_json()
    for token in (refreshed, again):
        assert rp.verified(token["id_token"], "web")["sid"] == claims["sid"], "RT11: the same session"
    assert signed_in(rp)[1]["sid"] != claims["sid"]


def test_3_every_client_has_a_sid_of_its_own(app: Any, acme: Tenant, rp: RelyingParty, database: Any) -> None:
    other = client(
        acme, "other", secret="o" * 40, redirect_uris=["http://localhost:8002/cb"],
        frontchannel_logout_uri="http://localhost:8002/out?keep=1", frontchannel_logout_session_required=True,
    )  # fmt: skip
    second = party(app, acme, other, "o" * 40)
    browser, claims = signed_in(rp)
    theirs = second.verified(second.exchange(second.authorize(browser).code)["id_token"], "other")["sid"]
    assert theirs != claims["sid"]
    [(own, number)] = database("SELECT sid, id::text FROM sessions")
    cookie = browser.get_cookie("idp_acme_session").value
    assert not {own, number, cookie} & {theirs, claims["sid"]}
    page = landed(rp, browser, leave(rp, browser))
    found = {urlsplit(each).netloc: query(each) for each in frames(page.get_data(as_text=True))}
    assert found["localhost:8001"]["sid"] == [claims["sid"]]
    assert found["localhost:8002"] == {"keep": ["1"], "iss": [acme.issuer], "sid": [theirs]}
    assert policy_of(page)["frame-src"].split() == ["http://localhost:8001", "http://localhost:8002"]


def test_2_a_client_that_requires_no_session_finds_its_own_address_alone(
    app: Any, acme: Tenant, rp: RelyingParty
) -> None:
    change(acme, "web", frontchannel_logout_session_required=None)
    browser, _ = signed_in(rp)
    page = landed(rp, browser, leave(rp, browser))
    assert frames(page.get_data(as_text=True)) == [FRAME]
    assert "http-equiv" not in page.get_data(as_text=True), "there is nowhere to go on to"


def test_2_a_client_that_took_no_part_in_the_session_is_not_told(
    app: Any, acme: Tenant, rp: RelyingParty
) -> None:
    other = relying_party(app, acme, "spa")
    browser = other.browser()
    other.exchange(other.authorize(browser, scope="openid").login("alice").code)
    answer = leave(rp, browser, client_id="web", post_logout_redirect_uri=BACK, state=STATE)
    assert only_state(answer.headers["Location"]), "no page is between where nobody wants a frame"


def test_lo05_the_frames_are_closed_in(rp: RelyingParty) -> None:
    browser, _ = signed_in(rp)
    page = landed(rp, browser, leave(rp, browser, client_id="web", post_logout_redirect_uri=BACK))
    policy = policy_of(page)
    assert policy["frame-src"] == "http://localhost:8001" and policy["frame-ancestors"] == "'none'"
    assert policy["default-src"] == "'none'" and page.headers["Cache-Control"] == "no-store"
    html = page.get_data(as_text=True)
    assert 'sandbox="allow-scripts allow-same-origin"' in html and 'referrerpolicy="no-referrer"' in html


def test_lo05_lo09_the_page_with_the_frames_belongs_to_the_sign_out_of_this_browser(
    rp: RelyingParty, frozen: Any, database: Any
) -> None:
    with frozen() as clock:
        browser, _ = signed_in(rp)
        link = local(leave(rp, browser).headers["Location"], rp.tenant)
        assert frames(browser.get(link).get_data(as_text=True))
        for path in (link[:-1], link.partition("?")[0], f"{link.partition('?')[0]}?for=a.b", f"{link}x"):
            assert not frames(browser.get(path).get_data(as_text=True))
        assert not frames(rp.browser().get(link).get_data(as_text=True))
        elsewhere = link.replace("/t/acme/", "/t/globex/")
        assert not frames(browser.get(elsewhere).get_data(as_text=True))
        clock.tick(301)
        assert not frames(browser.get(link).get_data(as_text=True))


def test_lo09_a_sid_signs_nobody_out(rp: RelyingParty) -> None:
    browser, claims = signed_in(rp)
    tokens = rp.exchange(rp.authorize(browser, scope="openid").code)
    for path in ("logout", "logout/frontchannel", "logout/done"):
        for who in (rp.browser(), browser):
            query_ = f"iss={rp.tenant.issuer}&sid={claims['sid']}"
            assert who.get(f"/t/acme/{path}?{query_}").status_code in {200, 303}
    assert not out(rp, browser) and rp.userinfo(tokens["access_token"]).status_code == 200
