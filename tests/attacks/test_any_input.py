"""Whatever a client sends, the answer is its own mistake: below 500, with a registered code, and bounded."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.control import tenants
from idp.errors import Refusal
from idp.oauth.tokens import refresh
from idp.signing import jwt, rotation
from idp.store.durable import grants
from idp.tenants import Branding, Tenant, entered
from idp.web import strangers
from tests.attacks.acting import ask, at_once, client, paged, policy, refused
from tests.attacks.assertions import TYPE, basic
from tests.playing import query, relying_party

REGISTERED = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "insufficient_scope",
    "access_denied",
    "unsupported_response_type",
    "login_required",
    "consent_required",
    "invalid_request_object",
    "invalid_request_uri",
    "request_uri_not_supported",
    "unmet_authentication_requirements",
    "too_many_requests",
}
NAMES = (
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "token",
    "token_type_hint",
    "scope",
    "resource",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "claims",
    "acr_values",
    "id_token_hint",
    "login_hint",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "post_logout_redirect_uri",
    "access_token",
    "x",
    "display",
)
WORDS = (
    "",
    "web",
    "spa",
    "asks",
    "nightly",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "code",
    "S256",
    "query",
    "form_post",
    "none",
    "login",
    "consent",
    "openid",
    "openid offline_access",
    "orders.read",
    "https://api.example.com",
    TYPE,
    "http://localhost:8001/callback",
    "http://localhost:8003/callback",
    "http://localhost:8001/",
    "A" * 43,
    "0",
    "-1",
    "1e9",
    "idp_rt_" + "A" * 51,
    "a.b.c",
    "eyJhbGciOiJub25lIn0.e30.",
    "{}",
    '{"id_token":{"acr":{"essential":true,"values":[1]}}}',
    '{"userinfo":{"\\u0000":null}}',
    '{"id_token":{"sub":{"value":"\\ud800"}}}',
    "\u00e9",
    "\U0001f600",
    "%00",
    "'; DROP TABLE users--",
)
VALUES = st.one_of(st.sampled_from(WORDS), st.text(max_size=60))
FORMS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=9)
ENDPOINTS = ("authorize", "token", "introspect", "revoke", "userinfo", "logout")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_pa03_pa16_no_parameter_makes_a_server_error(app: Any, acme: Tenant, endpoint: str) -> None:
    loose = policy(acme, client_failures=10_000, unfinished_authorizations=100_000)
    http = app.test_client()

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(form=FORMS, secret=st.sampled_from(["", "web", "nightly"]), get=st.booleans())
    def tried(form: dict[str, str], secret: str, get: bool) -> None:
        headers = basic(secret, f"acme-{secret}-secret-0123456789-0123456789") if secret else {}
        path = f"/t/{loose.slug}/{endpoint}"
        if get and endpoint in {"authorize", "userinfo", "logout"}:
            answer = http.get(path, query_string=form, headers=headers)
        else:
            answer = http.post(
                path, data=form, content_type="application/x-www-form-urlencoded", headers=headers
            )
        assert answer.status_code < 500, (form, answer.get_data(as_text=True)[:500])
        told = answer.get_json(silent=True) if answer.mimetype == "application/json" else None
        if answer.status_code >= 400 and told is not None:
            assert set(told) == {"error", "error_description"} and told["error"] in REGISTERED, (form, told)
            assert told["error_description"].isascii() and told["error_description"].isprintable()
        location = answer.headers.get("Location", "")
        if "error=" in location and location.startswith("http://localhost:800"):
            assert query(location)["error"][0] in REGISTERED, location

    tried()


@pytest.mark.parametrize(
    "wish",
    [
        '{"userinfo":[1]}',
        '{"id_token":"x"}',
        "[]",
        "null",
        "1",
        '"x"',
        "{",
        '{"userinfo":{"name":[]}}',
        '{"userinfo":{"name":1}}',
        '{"userinfo":null}',
        '{"userinfo":{"name":{"essential":"yes"}}}',
        '{"userinfo":{"name":{"values":1}}}',
        '{"a":1,"a":2}',
        '{"userinfo":{"x":NaN}}',
        '{"userinfo":' * 400 + "1" + "}" * 400,
        "[" * 8000,
        json.dumps({"userinfo": {f"c{n}": None for n in range(101)}}),
        '{"id_token": {"x": {"n": 1e9991}}}',
    ],
)
def test_pa16_claims_of_another_shape_are_refused(app: Any, acme: Tenant, wish: str) -> None:
    answer = app.test_client().post("/t/acme/authorize", data=relying_party(app, acme).request(claims=wish))
    assert query(answer.headers["Location"])["error"] == ["invalid_request"]


@pytest.mark.parametrize(
    "wish",
    [
        {"userinfo": {"name\0": None}},
        {"id_token": {"name": {"value": "\0\ud800"}}},
        {"userinfo": {"email": {"values": ["\0"]}}, "other": {"a": 1}},
    ],
)
def test_pa16_pa03_what_a_claims_parameter_holds_never_reaches_the_database(
    app: Any, acme: Tenant, wish: dict[str, Any], database: Any
) -> None:
    rp = relying_party(app, acme)
    code = rp.authorize(claims=json.dumps(wish)).login("alice").code
    assert rp.redeem(code).status_code == 200
    assert all(set(kept) <= {"userinfo", "id_token"} for (kept,) in database("SELECT claims FROM grants"))


def test_tk27_opaque_tokens_are_random_marked_and_checked(app: Any, acme: Tenant) -> None:
    tokens = {refresh.new() for _ in range(100)}
    assert len(tokens) == 100 and {len(token) for token in tokens} == {58}
    for token in list(tokens)[:5]:
        assert token.startswith("idp_rt_") and refresh.wellformed(token)
        assert not refresh.wellformed(
            token[:-1] + ("0" if token[-1] != "0" else "1")
        ) and not refresh.wellformed(token + "0")
    rp = relying_party(app, acme)
    first = rp.sign_in()["refresh_token"]
    assert refresh.wellformed(first) and refresh.wellformed(rp.refresh(first).get_json()["refresh_token"])


def test_do06_a_flood_of_unfinished_requests_is_stopped_for_its_address(app: Any, acme: Tenant) -> None:
    few = policy(acme, unfinished_authorizations=5)
    path = f"/t/acme/authorize?{urlencode(relying_party(app, few).request())}"

    def send(address: str) -> Any:
        return app.test_client().get(path, environ_overrides={"REMOTE_ADDR": address})

    answers = [send("192.0.2.1") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429] * 2 and answers[-1].headers[
        "Retry-After"
    ]
    assert send("192.0.2.2").status_code == 303
    rp = relying_party(app, few)
    for _ in range(7):  # those that come to an end are given back
        assert rp.authorize().login("alice").code


def test_au07_an_error_of_the_database_names_nothing_of_it(
    app: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    rp = relying_party(app, acme)
    token = rp.sign_in()["refresh_token"]

    def broken(*_: Any, **__: Any) -> None:
        raise sa.exc.ProgrammingError(
            "SELECT secret FROM users", {"host": "10.0.0.7"}, Exception("relation users at db.internal")
        )

    monkeypatch.setattr(grants, "by_refresh", broken)
    answer = rp.refresh(token)
    assert answer.status_code == 500 and answer.get_json() == {
        "error": "server_error",
        "error_description": "Something went wrong on our side.",
    }


def test_rc16_keys_change_while_tokens_are_signed(app: Any, acme: Tenant) -> None:
    nightly = relying_party(app, acme, "nightly")

    def act(number: int) -> Any:
        if number:
            return nightly.post("token", {"grant_type": "client_credentials"})
        with entered(acme):
            return rotation.rotate("RS256", now=True)

    answers = at_once(16, act)[1:]
    assert {answer.status_code for answer in answers} == {200}
    with entered(acme):
        for answer in answers:
            assert (
                jwt.verify(answer.get_json()["access_token"], typ={"at+jwt"}, audience=None)["sub"]
                == "nightly"
            )


def test_ue07_an_unknown_tenant_tells_nothing_and_meets_a_limit(
    app: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "PER_MINUTE", 20)

    def send(slug: str) -> Any:
        return app.test_client().get(f"/t/{slug}/jwks.json", environ_overrides={"REMOTE_ADDR": "192.0.2.77"})

    statuses = [send(f"guess{number}").status_code for number in range(25)]
    assert statuses[0] == 404 and statuses[-1] == 429 and set(statuses) == {404, 429}


@pytest.mark.parametrize(
    "text", ["https://a.example\r\nSet-Cookie: x=1", "https://a.example\nX: 1", "https://a.example\0"]
)
def test_cr05_no_line_ends_in_what_becomes_a_header(app: Any, acme: Tenant, text: str) -> None:
    for field in ("allowed_origins", "redirect_uris", "post_logout_redirect_uris"):
        with pytest.raises(Refusal):
            client(acme, "bad", **{field: [text]})
    with pytest.raises(Refusal):
        Branding.parse({"logo_uri": text})
    with pytest.raises(Refusal):
        tenants.update("acme", {"branding": {"logo_uri": text}})
    answer = ask(app, acme, state="x\r\nSet-Cookie: y=1", prompt="none")
    assert "\n" not in answer.headers["Location"] and "y=1" not in str(answer.headers.getlist("Set-Cookie"))


def test_pa01_a_repeated_resource_is_the_one_that_may_come_twice(app: Any, acme: Tenant) -> None:
    form = "grant_type=client_credentials&resource=https://api.example.com&resource=http://localhost/t/acme"
    headers = basic("nightly", "acme-nightly-secret-0123456789-0123456789")
    http = app.test_client()
    body = http.post(
        "/t/acme/token", data=form, content_type="application/x-www-form-urlencoded", headers=headers
    ).get_json()
    claims = relying_party(app, acme).verified(body["access_token"], "https://api.example.com")
    assert set(claims["aud"]) == {"https://api.example.com", acme.issuer}
    twice = http.post(
        "/t/acme/token",
        data=form + "&scope=a&scope=b",
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )
    refused(twice, "invalid_request")
    paged(http.get("/t/acme/authorize?client_id=web&client_id=web"))
