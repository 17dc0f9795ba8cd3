"""OpenID Connect Core 1.0: what the Basic profile of certification asks, request by request."""

import base64
import hashlib
import math
import string
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import pytest

from idp.control import users
from idp.errors import InvalidClientMetadata
from idp.oauth import authorize
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, policy
from tests.playing import RelyingParty, Visit, local, query, relying_party

ALLOWED = {
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "nbf",
    "jti",
    "sid",
    "s_hash",
    "txn",
}
PERSON: dict[str, Any] = {
    "name": "Alice Adams",
    "given_name": "Alice",
    "family_name": "Adams",
    "middle_name": "Beth",
    "nickname": "Al",
    "preferred_username": "alice",
    "profile": "https://example.com/alice",
    "picture": "https://example.com/alice.png",
    "website": "https://example.com/",
    "gender": "female",
    "birthdate": "1990-02-03",
    "zoneinfo": "Europe/Vienna",
    "locale": "en-GB",
    "phone_number": "+43 1 234567",
    "phone_number_verified": True,
    "address": {
        "formatted": "1 Road\nTown",
        "street_address": "1 Road",
        "locality": "Town",
        "region": "R",
        "postal_code": "1010",
        "country": "AT",
    },
}
PROFILE = {
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
}


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    with entered(acme):
        users.update("alice", PERSON)
    return relying_party(app, acme)


def identity(rp: RelyingParty, tokens: dict[str, Any]) -> dict[str, Any]:
    return rp.verified(tokens["id_token"], rp.client_id)


def test_3_1_2_5_a_code_is_long_and_random(rp: RelyingParty) -> None:
    code = rp.authorize().login("alice").code
    counts = Counter(code)
    entropy = -sum(n / len(code) * math.log2(n / len(code)) for n in counts.values()) * len(code)
    assert len(code) * 6 >= 128 and entropy >= 96


def test_3_1_3_3_a_token_answer_is_complete_and_not_stored(rp: RelyingParty) -> None:
    answer = rp.redeem(rp.authorize().login("alice").code)
    body = answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Pragma"] == "no-cache"
    assert body["token_type"] == "Bearer" and 1 <= body["expires_in"] <= 31_536_000
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}


def test_2_an_id_token_holds_what_certification_allows_and_the_tenant(
    app: Any, acme: Tenant, rp: RelyingParty
) -> None:
    claims = identity(rp, rp.sign_in(scope="openid profile email address phone"))
    assert set(claims) - ALLOWED == {"tenant", "tenant_id"} and claims["aud"] == "web"
    assert abs(claims["iat"] - claims["auth_time"]) < 60 and isinstance(claims["acr"], str) and claims["acr"]
    plain = relying_party(app, policy(acme, tenant_claims_in_id_token=False))
    assert set(identity(plain, plain.sign_in())) <= ALLOWED


def test_3_1_3_6_at_hash_is_the_left_half(rp: RelyingParty) -> None:
    tokens = rp.sign_in()
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert identity(rp, tokens)["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def test_3_1_2_1_nonce_comes_back_and_may_be_missing(rp: RelyingParty) -> None:
    assert identity(rp, rp.sign_in(nonce="n" * 384))["nonce"] == "n" * 384
    assert "nonce" not in identity(rp, rp.sign_in(nonce=None))


@pytest.mark.parametrize("state", [None, "x" * 128, "x" * 1000, " a&b=c#d%20+\u00e9\U0001f600\"'<"])
def test_3_1_2_1_state_comes_back_untouched(rp: RelyingParty, state: str | None) -> None:
    assert rp.authorize(state=state, prompt="none").params.get("state") == state
    assert rp.authorize(state=state).login("alice").params.get("state") == state


def test_3_1_2_1_a_missing_response_type_is_an_error_for_the_client(rp: RelyingParty) -> None:
    params = rp.authorize(response_type=None).params
    assert params["error"] == "invalid_request" and params["state"] == rp.state and "code" not in params


def test_3_1_2_1_post_works_like_get_from_anywhere(rp: RelyingParty) -> None:
    browser = rp.browser()
    for headers in ({}, {"Origin": "https://rp.example", "Sec-Fetch-Site": "cross-site"}):
        answer = browser.post("/t/acme/authorize", data=rp.request(), headers=headers)
        assert answer.status_code == 303
        visit = Visit(rp, browser, answer).follow()
        code = visit.code if "code=" in visit.location else visit.login("alice").code
        assert rp.redeem(code).status_code == 200


def test_3_1_2_1_a_silent_post_from_elsewhere_finds_the_session(rp: RelyingParty) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    kept_back = rp.browser()
    answer = kept_back.post(
        "/t/acme/authorize", data=rp.request(prompt="none"), headers={"Origin": "https://rp.example"}
    )
    again = browser.get(local(answer.headers["Location"], rp.tenant))
    assert "code" in Visit(rp, browser, again).params


@pytest.mark.parametrize(
    "extra",
    [
        {"display": "page"},
        {"display": "popup"},
        {"display": "touch"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"extra": "foobar"},
        {"login_hint": "buffy@localhost"},
        {"acr_values": "1"},
        {"acr_values": "1 2"},
        {"acr_values": "urn:x"},
        {"ui_locales": "../../etc"},
        {"resource": "http://localhost/t/acme"},
        {"id_token_hint": ""},
        {"max_age": "15000"},
        {"registration": "{}"},
    ],
)
def test_3_1_2_1_optional_parameters_break_nothing(rp: RelyingParty, extra: dict[str, str]) -> None:
    claims = identity(rp, rp.exchange(rp.authorize(**extra).login("alice").code))
    assert claims["acr"] == "1"


def test_3_1_2_1_reversed_scopes_and_parameters(rp: RelyingParty) -> None:
    request = rp.request(scope="email openid")
    browser = rp.browser()
    browser.get("/t/acme/authorize?" + urlencode(list(reversed(request.items()))))
    tokens = rp.exchange(rp.authorize(browser, scope="email openid").login("alice").code)
    assert set(tokens["scope"].split()) == {"openid", "email"}


def test_3_1_2_1_prompt_login_asks_each_time_and_moves_auth_time(rp: RelyingParty, frozen: Any) -> None:
    browser = rp.browser()
    with frozen() as clock:
        times = [identity(rp, rp.exchange(rp.authorize(browser).login("alice").code))["auth_time"]]
        for prompt in ("login", "login select_account", "login", "login consent"):
            clock.tick(2)
            visit = rp.authorize(browser, prompt=prompt)
            assert 'id="login-form"' in visit.html
            visit.login("alice")
            if "consent" in prompt:
                visit.consent()
            times.append(identity(rp, rp.exchange(visit.code))["auth_time"])
    assert times == sorted(set(times))


def test_3_1_2_1_prompt_none_in_and_out(rp: RelyingParty) -> None:
    browser = rp.browser()
    params = rp.authorize(browser, prompt="none", state="s" * 128).params
    assert params["error"] == "login_required" and params["state"] == "s" * 128
    assert set(params) == {"error", "error_description", "state", "iss"}
    first = identity(rp, rp.exchange(rp.authorize(browser).login("alice").code))
    again = identity(rp, rp.exchange(rp.authorize(browser, prompt="none", id_token_hint=None).code))
    assert (first["sub"], first["auth_time"]) == (again["sub"], again["auth_time"])


@pytest.mark.parametrize("max_age", ["0", "1"])
def test_3_1_2_1_max_age_asks_when_it_is_too_long_ago(rp: RelyingParty, frozen: Any, max_age: str) -> None:
    browser = rp.browser()
    with frozen() as clock:
        first = identity(rp, rp.exchange(rp.authorize(browser).login("alice").code))
        clock.tick(2)
        assert rp.authorize(browser, max_age=max_age, prompt="none").params["error"] == "login_required"
        visit = rp.authorize(browser, max_age=max_age)
        assert 'id="login-form"' in visit.html
        second = identity(rp, rp.exchange(visit.login("alice").code))
        assert second["auth_time"] == first["auth_time"] + 2


def test_3_1_2_1_max_age_of_hours_asks_nothing(rp: RelyingParty) -> None:
    browser = rp.browser()
    first = identity(rp, rp.exchange(rp.authorize(browser, max_age="15000").login("alice").code))
    second = identity(rp, rp.exchange(rp.authorize(browser, max_age="10000").code))
    assert first["auth_time"] == second["auth_time"]


@pytest.mark.parametrize("max_age", ["-1", "x", "1.5", "1e3", " 1", "\u0661", "9" * 11])
def test_3_1_2_1_max_age_is_a_number(rp: RelyingParty, max_age: str) -> None:
    assert rp.authorize(max_age=max_age).params["error"] == "invalid_request"


@pytest.mark.parametrize("prompt", ["none login", "x", "login x", "NONE"])
def test_3_1_2_1_prompt_has_known_values_and_none_stands_alone(rp: RelyingParty, prompt: str) -> None:
    assert rp.authorize(prompt=prompt).params["error"] == "invalid_request"


def test_3_1_2_1_a_hint_of_the_same_person_is_silent(rp: RelyingParty, frozen: Any) -> None:
    browser = rp.browser()
    with frozen() as clock:
        hint = rp.exchange(rp.authorize(browser).login("alice").code)["id_token"]
        clock.tick(1200)  # an old hint is a hint
        assert "code" in rp.authorize(browser, prompt="none", id_token_hint=hint).params


def test_5_3_userinfo_by_get_post_header_and_post_body(app: Any, rp: RelyingParty) -> None:
    tokens = rp.sign_in(scope="openid profile email address phone")
    token, http, path = tokens["access_token"], app.test_client(), "/t/acme/userinfo"
    bearer = {"Authorization": f"Bearer {token}"}
    answers = [
        http.get(path, headers=bearer),
        http.get(path, headers={"Authorization": f"bEARER {token}"}),
        http.post(path, headers=bearer),
        http.post(path, headers={**bearer, "Content-Type": "text/plain"}),
        http.post(path, data={"access_token": token}),
    ]
    for answer in answers:
        assert (
            answer.status_code == 200
            and answer.mimetype == "application/json"
            and answer.headers["Cache-Control"] == "no-store"
        )
        assert (
            answer.get_json() == answers[0].get_json()
            and answer.get_json()["sub"] == identity(rp, tokens)["sub"]
        )
    assert http.get(path + f"?access_token={token}").status_code == 401
    assert http.post(path, data={"access_token": token}, headers=bearer).status_code == 400


def test_5_3_3_errors_carry_a_challenge(app: Any, rp: RelyingParty) -> None:
    http = app.test_client()
    bare = http.get("/t/acme/userinfo")
    assert (
        bare.status_code == 401
        and bare.headers["WWW-Authenticate"].startswith("Bearer realm=")
        and "error=" not in bare.headers["WWW-Authenticate"]
    )
    bad = http.get("/t/acme/userinfo", headers={"Authorization": "Bearer x.y.z"})
    assert bad.status_code == 401 and 'error="invalid_token"' in bad.headers["WWW-Authenticate"]
    narrow = rp.sign_in(scope="profile", nonce=None)["access_token"]
    poor = rp.userinfo(narrow)
    assert poor.status_code == 403 and 'error="insufficient_scope"' in poor.headers["WWW-Authenticate"]


def test_5_4_each_scope_tells_its_claims_at_userinfo(rp: RelyingParty) -> None:
    wanted = {
        "profile": PROFILE,
        "email": {"email", "email_verified"},
        "address": {"address"},
        "phone": {"phone_number", "phone_number_verified"},
    }
    for scope, names in wanted.items():
        tokens = rp.sign_in(scope=f"openid {scope}")
        told = rp.userinfo(tokens["access_token"]).get_json()
        assert set(told) == {"sub", *names}, scope
        assert not names & set(identity(rp, tokens))
    told = rp.userinfo(rp.sign_in(scope="openid profile email address phone")["access_token"]).get_json()
    assert (
        told["address"] == PERSON["address"]
        and told["phone_number_verified"] is True
        and told["email_verified"] is True
    )
    assert isinstance(told["updated_at"], int) and told["updated_at"] > 631_152_000
    assert not [name for name, value in told.items() if value in (None, "", "null", [], {})]


def test_5_5_essential_claims_are_told_where_they_were_asked_for(rp: RelyingParty) -> None:
    tokens = rp.sign_in(
        scope="openid", claims='{"userinfo":{"name":{"essential":true},"unheard_of":null},"x":{}}'
    )
    assert rp.userinfo(tokens["access_token"]).get_json().keys() == {"sub", "name"}
    assert "name" not in identity(rp, tokens)
    tokens = rp.sign_in(scope="openid", claims='{"id_token":{"email":null,"auth_time":{"essential":true}}}')
    assert identity(rp, tokens)["email"] == "alice@example.com"
    assert rp.userinfo(tokens["access_token"]).get_json().keys() == {"sub"}


def test_5_5_1_1_an_acr_that_cannot_be_reached_fails_only_when_essential(rp: RelyingParty) -> None:
    wish = '{"id_token":{"acr":{"essential":%s,"values":["gold"]}}}'
    assert rp.authorize(claims=wish % "true").params["error"] == "unmet_authentication_requirements"
    assert identity(rp, rp.sign_in(claims=wish % "false"))["acr"] == "1"
    assert (
        identity(rp, rp.sign_in(claims='{"id_token":{"acr":{"essential":true,"values":["gold","1"]}}}'))[
            "acr"
        ]
        == "1"
    )


@pytest.mark.parametrize(
    ("name", "error"), [("request", "invalid_request_object"), ("request_uri", "request_uri_not_supported")]
)
def test_6_an_unsigned_request_object_is_refused_by_name(rp: RelyingParty, name: str, error: str) -> None:
    assert rp.authorize(**{name: "eyJhbGciOiJub25lIn0.e30."}).params["error"] == error


def test_11_offline_access_gives_a_refresh_token_of_visible_characters(rp: RelyingParty) -> None:
    visit = rp.authorize(scope="openid offline_access", prompt="consent").login("alice")
    token = rp.exchange(visit.consent().code)["refresh_token"]
    assert len(token) * 4 >= 128 and set(token) <= set(string.ascii_letters + string.digits + "-_")


def test_12_2_a_refresh_answers_a_new_id_token(rp: RelyingParty, frozen: Any) -> None:
    with frozen() as clock:
        first = rp.sign_in()
        clock.tick(3)
        answer = rp.refresh(first["refresh_token"])
        one, two = identity(rp, first), identity(rp, answer.get_json())
    second = answer.get_json()
    assert (
        answer.headers["Cache-Control"] == "no-store"
        and second["token_type"] == "Bearer"
        and second["expires_in"] == 600
    )
    assert {n: one[n] for n in ("iss", "sub", "aud", "auth_time")} == {
        n: two[n] for n in ("iss", "sub", "aud", "auth_time")
    }
    assert two["iat"] > one["iat"] and second["access_token"] != first["access_token"]


def test_3_1_2_6_errors_hold_only_what_is_registered(rp: RelyingParty) -> None:
    for changes in (
        {"prompt": "x"},
        {"scope": "\u00e9"},
        {"response_type": "x"},
        {"max_age": "x"},
        {"claims": "x"},
        {"resource": "x"},
    ):
        answer = rp.browser().get("/t/acme/authorize?" + urlencode(rp.request(**changes)))
        assert set(query(answer.headers["Location"])) == {"error", "error_description", "state", "iss"}


def test_registration_2_default_acr_values_count_where_the_request_says_none(acme: Tenant) -> None:
    made = client(acme, "made", default_acr_values=["urn:mace:incommon:iap:silver", "1"])
    params = {"client_id": "made", "response_type": "code", "redirect_uri": made.redirect_uris[0], "scope": "openid",
              "code_challenge": "c" * 43, "code_challenge_method": "S256"}  # fmt: skip
    with entered(acme):
        assert authorize.play(params, ())[0].acr_values == ("urn:mace:incommon:iap:silver", "1")
        assert authorize.play({**params, "acr_values": "2"}, ())[0].acr_values == ("2",)
    for wrong in ("1", ["a b"], [1], [""]):
        with pytest.raises(InvalidClientMetadata):
            change(acme, "made", default_acr_values=wrong)
