"""Pushed authorization requests (RFC 9126): left here by the client first, brought by name, answered once."""

import json
import time
from typing import Any
from urllib.parse import urlencode

import jwt as pyjwt
import pytest

from idp.tenants import Tenant
from tests.attacks.acting import THREADS, at_once, change, client, paged, party, policy, refused
from tests.attacks.assertions import EC, OTHER, assertion, present, public
from tests.playing import RelyingParty, Visit, relying_party

URN = "urn:ietf:params:oauth:request_uri:"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def push(rp: RelyingParty, **changes: str | None) -> Any:
    """The answer to a request that the client pushes."""
    return rp.post("par", rp.request(**changes))


def name_of(answer: Any) -> str:
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return str(answer.get_json()["request_uri"])


def pushed(rp: RelyingParty, **changes: str | None) -> str:
    """The name of a request that the client has pushed."""
    return name_of(push(rp, **changes))


def brought(rp: RelyingParty, name: str, browser: Any = None, **beside: str) -> Visit:
    """Where a browser comes to with the name of a request, and what stands `beside` it."""
    browser = browser or rp.browser()
    given = urlencode({"client_id": rp.client_id, "request_uri": name, **beside})
    return Visit(rp, browser, browser.get(f"/t/{rp.tenant.slug}/authorize?{given}")).follow()


@pytest.mark.parametrize("client_id", ["web", "spa", "asks"])
def test_2_2_and_4_a_pushed_request_is_answered_as_if_it_stood_in_the_address(
    app: Any, acme: Tenant, client_id: str
) -> None:
    rp = relying_party(app, acme, client_id)
    answer = push(rp, state="inner", scope="openid profile")
    assert answer.status_code == 201 and answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.get_json()) == {"request_uri", "expires_in"} and answer.get_json()["expires_in"] == 60
    visit = brought(rp, name_of(answer)).login("alice")
    if client_id == "asks":
        visit = visit.consent()
    assert visit.params["state"] == "inner" and visit.params["iss"] == acme.issuer
    tokens = rp.exchange(visit.code)
    assert (
        tokens["scope"] == "openid profile"
        and rp.verified(tokens["id_token"], client_id)["nonce"] == rp.nonce
    )


def test_2_with_a_signed_assertion_whose_audience_is_the_issuer(app: Any, acme: Tenant) -> None:
    made = client(
        acme, "signer", token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public(EC, "e")]}
    )
    rp = party(app, acme, made)

    def push_with(**changes: Any) -> Any:
        signed = assertion(acme, **changes)
        return present(app, acme, signed, "par", **{**rp.request(), "grant_type": None, "token": None})

    name_of(push_with(jti="once"))
    refused(push_with(jti="once"), "invalid_client", 401)
    refused(push_with(aud=f"{acme.issuer}/par"), "invalid_client", 401)
    name = name_of(push_with())
    assert brought(rp, name).login("alice").code


def test_pj04_nothing_beside_the_name_counts(rp: RelyingParty) -> None:
    name = pushed(rp, state=None, scope="openid")
    beside = {
        "state": "outer", "nonce": "outer", "scope": "openid profile", "response_type": "id_token",
        "redirect_uri": "https://evil.example/cb", "prompt": "none", "response_mode": "fragment",
    }  # fmt: skip
    visit = brought(rp, name, **beside).login("alice")
    assert visit.location.startswith(f"{rp.redirect_uri}?") and "state" not in visit.params
    assert rp.exchange(visit.code)["scope"] == "openid"


def test_pj10_names_are_long_and_random_and_a_page_that_is_loaded_again_goes_on(rp: RelyingParty) -> None:
    names = [pushed(rp) for _ in range(8)]
    tails = {name.removeprefix(URN) for name in names}
    assert len(tails) == 8 and {len(tail) for tail in tails} == {43}
    browser = rp.browser()
    for _ in range(3):
        visit = brought(rp, names[-1], browser)
        assert 'id="login-form"' in visit.html
    assert visit.login("alice").code
    paged(brought(rp, names[-1], browser).answer, "invalid_request_uri")


def test_pj10_what_ends_in_the_browser_after_its_minute_is_still_answered(
    rp: RelyingParty, frozen: Any
) -> None:
    with frozen() as clock:
        visit = brought(rp, pushed(rp))
        clock.tick(120)
        assert visit.login("alice").code


def test_pj01_a_second_time_once_it_is_answered(rp: RelyingParty) -> None:
    browser = rp.browser()
    name = pushed(rp)
    assert brought(rp, name, browser).login("alice").code
    paged(brought(rp, name, browser).answer, "invalid_request_uri")
    silent = pushed(rp, prompt="none")
    assert brought(rp, silent, browser).code
    paged(brought(rp, silent, browser).answer, "invalid_request_uri")
    again = pushed(rp)
    assert brought(rp, again, browser).code
    paged(brought(rp, again, browser).answer, "invalid_request_uri")


def test_pj01_who_said_no_has_answered(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme, "asks")
    name = pushed(rp)
    visit = brought(rp, name).login("alice").consent("deny")
    assert visit.params["error"] == "access_denied"
    paged(brought(rp, name).answer, "invalid_request_uri")


def test_pj01_after_its_minute(rp: RelyingParty, frozen: Any) -> None:
    with frozen() as clock:
        name = pushed(rp)
        clock.tick(59)
        assert 'id="login-form"' in brought(rp, name).html
        clock.tick(1)
        paged(brought(rp, name).answer, "invalid_request_uri")


def test_pj01_by_another_client_or_at_another_tenant(app: Any, globex: Tenant, rp: RelyingParty) -> None:
    name = pushed(rp)
    for other in (relying_party(app, rp.tenant, "spa"), relying_party(app, globex)):
        paged(brought(other, name).answer, "invalid_request_uri")
    assert brought(rp, name).login("alice").code


@pytest.mark.parametrize("name", [URN, URN + "x" * 43, URN + "x" * 5_000, URN + "\u00e4"])
def test_pj01_a_name_that_nobody_has_given(rp: RelyingParty, name: str) -> None:
    paged(brought(rp, name).answer, "invalid_request_uri")
    visit = brought(rp, name, redirect_uri=rp.redirect_uri, state="s")
    assert visit.params["error"] == "invalid_request_uri" and visit.params["state"] == "s"


def test_rc04_pj01_of_many_sign_ins_with_one_name_one_comes_to_its_end(rp: RelyingParty) -> None:
    browsers = [rp.browser() for _ in range(THREADS // 4)]
    for browser in browsers:
        rp.authorize(browser).login("alice")
    name = pushed(rp)

    def bring(number: int) -> Any:
        given = urlencode({"client_id": rp.client_id, "request_uri": name})
        return browsers[number].get(f"/t/{rp.tenant.slug}/authorize?{given}")

    answers = at_once(len(browsers), bring)
    assert sum("code=" in answer.headers.get("Location", "") for answer in answers) == 1
    assert {answer.status_code for answer in answers} <= {303, 400, 503}


def test_rc04_of_two_pages_of_one_name_the_second_is_told_that_it_is_over(rp: RelyingParty) -> None:
    name = pushed(rp)
    first, second = brought(rp, name), brought(rp, name)
    assert first.login("alice").code
    late = second.login("alice")
    assert late.answer.status_code == 400 and "Location" not in late.answer.headers


def test_pj03_a_client_that_has_a_secret_shows_it(app: Any, rp: RelyingParty) -> None:
    refused(rp.post("par", rp.request(), authenticated=False), "invalid_client", 401)
    wrong = RelyingParty(app, rp.tenant, "web", "wrong" * 10)
    refused(push(wrong), "invalid_client", 401)
    refused(
        app.test_client().post("/t/acme/par", data={**rp.request(), "client_id": "nobody"}),
        "invalid_client",
        401,
    )


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_pj03_it_is_posted(app: Any, acme: Tenant, method: str) -> None:
    assert getattr(app.test_client(), method)("/t/acme/par").status_code == 405


def test_2_1_a_pushed_request_names_no_other(rp: RelyingParty) -> None:
    for name in (pushed(rp), "https://app.example.com/request.jwt"):
        refused(push(rp, request_uri=name), "invalid_request")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/cb"}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"resource": "https://nowhere.example/"}, "invalid_target"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "a.b.c"}, "invalid_request_object"),
    ],
)
def test_2_3_what_the_score_refuses_is_said_to_the_client(
    rp: RelyingParty, changes: dict[str, str | None], error: str
) -> None:
    refused(push(rp, **changes), error)


def test_2_3_too_many_are_told_to_come_back(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, policy(acme, pushed_requests=2))
    assert [push(rp).status_code for _ in range(3)] == [201, 201, 429]


def test_3_a_request_object_may_be_pushed(app: Any, acme: Tenant, frozen: Any) -> None:
    made = client(
        acme, "signer", jwks={"keys": [public(EC, "e")]}, secret="s" * 43, require_signed_request_object=True
    )
    rp = party(app, acme, made, "s" * 43)
    now = int(time.time())
    claims = {**rp.request(state="inner"), "iss": "signer", "aud": acme.issuer, "iat": now, "exp": now + 60}

    def signed(key: Any, **changes: Any) -> dict[str, str]:
        body = json.dumps({**claims, **changes}).encode()
        return {"request": pyjwt.api_jws.encode(body, key, algorithm="ES256", headers={"kid": "e"})}

    refused(push(rp), "invalid_request")
    refused(rp.post("par", signed(OTHER)), "invalid_request_object")
    refused(rp.post("par", signed(EC, request_uri=URN + "x" * 43)), "invalid_request")
    with frozen() as clock:
        name = name_of(rp.post("par", {**signed(EC), "state": "outer"}))
        clock.tick(59)
        visit = brought(rp, name)
        clock.tick(300)
        assert visit.login("alice").params["state"] == "inner"


def test_pj04_who_has_to_push_sends_no_plain_request(app: Any, acme: Tenant, rp: RelyingParty) -> None:
    change(acme, "web", require_pushed_authorization_requests=True)
    visit = rp.authorize()
    assert visit.params["error"] == "invalid_request" and visit.params["state"] == rp.state
    assert 'id="login-form"' in relying_party(app, acme, "spa").authorize().html
    assert brought(rp, pushed(rp)).login("alice").code


def test_pj04_where_the_policy_has_it_nobody_does(app: Any, acme: Tenant) -> None:
    def told() -> Any:
        return app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()

    assert told()["pushed_authorization_request_endpoint"] == f"{acme.issuer}/par"
    assert told()["require_pushed_authorization_requests"] is False
    strict = policy(acme, require_pushed_authorization_requests=True)
    assert told()["require_pushed_authorization_requests"] is True
    for client_id in ("web", "spa"):
        rp = relying_party(app, strict, client_id)
        assert rp.authorize().params["error"] == "invalid_request"
        assert brought(rp, pushed(rp)).login("alice").code


def test_a_client_that_is_suspended_meanwhile_is_found(rp: RelyingParty) -> None:
    name = pushed(rp)
    change(rp.tenant, "web", status="suspended")
    paged(brought(rp, name).answer)
