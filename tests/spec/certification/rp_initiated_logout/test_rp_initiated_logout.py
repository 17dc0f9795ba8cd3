"""The certification plan for sign-outs that an application begins, module by module."""

import base64
import json
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from idp.tenants import Tenant
from tests.playing import RelyingParty, relying_party
from tests.spec.certification.leaving import BACK, STATE, landed, leave, only_state, out, signed_in


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def refused(rp: RelyingParty, browser: Any, **params: str) -> bool:
    """An error page, no way back, and the person is signed in as before."""
    answer = leave(rp, browser, **params)
    page = 'id="logout-error"' in answer.get_data(as_text=True) and "Location" not in answer.headers
    return answer.status_code == 400 and page and not out(rp, browser)


def said_so(rp: RelyingParty, browser: Any, **params: str) -> bool:
    """The page that says it is done, no way on from it, and the person is signed out."""
    page = landed(rp, browser, leave(rp, browser, **params))
    html = page.get_data(as_text=True)
    done = 'id="logged-out"' in html and "You are signed out" in html
    return page.status_code == 200 and done and "logout-continue" not in html and out(rp, browser)


def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(app: Any, acme: Tenant) -> None:
    """Every endpoint lies under the issuer, so that all are https where the issuer is."""
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    endpoints = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))]
    assert document["end_session_endpoint"] == f"{acme.issuer}/logout" and len(endpoints) > 5
    assert all(each.startswith(f"{acme.issuer}/") for each in endpoints)


def test_oidcc_rp_initiated_logout(rp: RelyingParty) -> None:
    browser, claims = signed_in(rp)
    answer = leave(rp, browser, id_token_hint=claims["hint"], post_logout_redirect_uri=BACK, state=STATE)
    assert answer.status_code == 303 and only_state(answer.headers["Location"]) and out(rp, browser)


def test_oidcc_rp_initiated_logout_no_state(rp: RelyingParty) -> None:
    browser, claims = signed_in(rp)
    answer = leave(rp, browser, id_token_hint=claims["hint"], post_logout_redirect_uri=BACK)
    assert answer.headers["Location"] == BACK and out(rp, browser)


def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(rp: RelyingParty) -> None:
    browser, claims = signed_in(rp)
    assert refused(rp, browser, id_token_hint=claims["hint"], post_logout_redirect_uri=BACK + "bad")


def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(rp: RelyingParty) -> None:
    browser, claims = signed_in(rp)
    assert refused(rp, browser, id_token_hint=claims["hint"], post_logout_redirect_uri=BACK + "?foo=bar")


def test_oidcc_rp_initiated_logout_modified_id_token_hint(rp: RelyingParty) -> None:
    browser, claims = signed_in(rp)
    body = claims["hint"].split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    for hint in (f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.{claims['hint'].split('.')[2]}"):
        assert refused(rp, browser, id_token_hint=hint, post_logout_redirect_uri=BACK, state=STATE)


def test_oidcc_rp_initiated_logout_bad_id_token_hint(rp: RelyingParty) -> None:
    browser, claims = signed_in(rp)
    kid = pyjwt.get_unverified_header(claims["hint"])["kid"]
    theirs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    told = {name: value for name, value in claims.items() if name != "hint"}
    for name in (kid, "of the suite"):
        hint = pyjwt.encode(told, theirs, algorithm="RS256", headers={"kid": name})
        assert refused(rp, browser, id_token_hint=hint, post_logout_redirect_uri=BACK, state=STATE)


def test_oidcc_rp_initiated_logout_no_id_token_hint(rp: RelyingParty) -> None:
    browser, _ = signed_in(rp)
    assert refused(rp, browser, post_logout_redirect_uri=BACK, state=STATE)


def test_oidcc_rp_initiated_logout_no_params(rp: RelyingParty) -> None:
    assert said_so(rp, signed_in(rp)[0])


def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(rp: RelyingParty) -> None:
    browser, claims = signed_in(rp)
    assert said_so(rp, browser, id_token_hint=claims["hint"], state=STATE)


def test_oidcc_rp_initiated_logout_only_state(rp: RelyingParty) -> None:
    assert said_so(rp, signed_in(rp)[0], state=STATE)


def test_2_a_hint_of_somebody_else_signs_nobody_out_unasked(rp: RelyingParty) -> None:
    """The question is put in any case, and names who would be signed out."""
    _, theirs = signed_in(rp)
    browser = rp.browser()
    rp.exchange(rp.authorize(browser).login("bob").code)
    page = browser.get(f"/t/acme/logout?id_token_hint={theirs['hint']}")
    assert 'id="logout-form"' in page.get_data(as_text=True) and "bob" in page.get_data(as_text=True)
    assert not out(rp, browser)
