"""Request objects (RFC 9101, OpenID Connect Core 1.0 §6): the request that its client has signed, by value and by
reference, and what is not one.
"""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import jwt as pyjwt
import pytest

from idp import clock, fetching
from idp.errors import InvalidClientMetadata
from idp.ids import b64
from idp.oauth import client_keys
from idp.oauth.checks import request_object
from idp.tenants import Tenant
from tests.attacks.acting import ask, change, client, paged, party, policy
from tests.attacks.assertions import EC, OTHER, RSA, assertion, public
from tests.playing import RelyingParty, Visit
from tests.receiving import Serving, document_server

CALLBACK = "https://app.example.com/cb"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    """A client that has registered two keys."""
    made = client(
        acme, "signer", jwks={"keys": [public(EC, "e"), public(RSA, "r", "RS256")]}, secret="s" * 43
    )
    return party(app, acme, made, "s" * 43)


@pytest.fixture
def server() -> Iterator[Serving]:
    with document_server() as said:
        yield said


@pytest.fixture
def by_reference(app: Any, acme: Tenant, server: Serving) -> RelyingParty:
    """A client whose requests may lie at its own address."""
    client_keys.forget()
    request_object.forget()
    made = client(
        acme, "signer", jwks={"keys": [public(EC, "e"), public(RSA, "r", "RS256")]}, secret="s" * 43,
        request_uris=[f"{server.uri}#hash"],
    )  # fmt: skip
    return party(app, policy(acme, request_uri_parameter=True), made, "s" * 43)


def signed(
    rp: RelyingParty, key: Any = EC, alg: str = "ES256", headers: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A request object of the client; `...` leaves a claim out."""
    now = int(time.time())
    claims: dict[str, Any] = {
        **rp.request(), "iss": rp.client_id, "aud": rp.tenant.issuer, "iat": now, "exp": now + 300,
    }  # fmt: skip
    kept = {name: value for name, value in {**claims, **changes}.items() if value is not ...}
    return pyjwt.api_jws.encode(
        json.dumps(kept).encode(), key, algorithm=alg, headers={"kid": "e", **(headers or {})}
    )


def asked(rp: RelyingParty, token: str, browser: Any = None, **beside: str) -> Visit:
    """Where a browser comes to with a request that is only its object, and what stands `beside` it."""
    browser = browser or rp.browser()
    given = urlencode({"client_id": rp.client_id, "request": token, **beside})
    return Visit(rp, browser, browser.get(f"/t/{rp.tenant.slug}/authorize?{given}")).follow()


def test_4_a_signed_request_is_answered_as_if_it_stood_in_the_address(rp: RelyingParty) -> None:
    token = signed(rp, state="inner", nonce="of the object")
    visit = asked(rp, token).login("alice")
    assert visit.params["state"] == "inner"
    tokens = rp.exchange(visit.code)
    assert rp.verified(tokens["id_token"], "signer")["nonce"] == "of the object"


def test_6_3_nothing_beside_it_counts(rp: RelyingParty) -> None:
    token = signed(rp, state=..., nonce=..., scope="openid")
    beside = {
        "state": "outer", "nonce": "outer", "scope": "openid profile", "response_type": "id_token",
        "redirect_uri": "https://app.example.com/other", "prompt": "none", "response_mode": "fragment",
    }  # fmt: skip
    visit = asked(rp, token, **beside).login("alice")
    assert visit.location.startswith(f"{CALLBACK}?") and "state" not in visit.params
    tokens = rp.exchange(visit.code)
    assert tokens["scope"] == "openid" and "nonce" not in rp.verified(tokens["id_token"], "signer")


def test_4_parameters_may_be_json(rp: RelyingParty) -> None:
    wishes = {"id_token": {"name": None}, "userinfo": {"given_name": {"essential": True}}}
    browser = rp.browser()
    rp.authorize(browser, scope="openid").login("alice")
    token = signed(rp, max_age=0, claims=wishes, scope="openid")
    tokens = rp.exchange(asked(rp, token, browser).login("alice").code)
    assert rp.verified(tokens["id_token"], "signer")["name"]
    assert "given_name" in rp.userinfo(tokens["access_token"]).get_json()


def test_8_a_resource_may_be_one_or_several(rp: RelyingParty) -> None:
    for wrong in (["https://nowhere.example/"], "https://nowhere.example/"):
        assert asked(rp, signed(rp, resource=wrong)).params["error"] == "invalid_target"


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"typ": "oauth-authz-req+jwt"}},
        {"headers": {"typ": "JWT"}},
        {"headers": {"typ": None}},
        {"key": RSA, "alg": "RS256", "headers": {"kid": "r"}},
        {"key": RSA, "alg": "PS256", "headers": {"kid": "p"}},
        {"aud": ["https://elsewhere.example", "ISSUER"]},
        {"nbf": lambda now: now + 8},
        {"exp": lambda now: now + 3_600},
        {"iat": ...},
        {"client_id": ...},
        {"jti": "of no use"},
        {"unknown": {"deep": [1]}},
    ],
)
def test_what_a_request_object_may_be(rp: RelyingParty, acme: Tenant, changes: dict[str, Any]) -> None:
    change(
        acme, "signer", jwks={"keys": [public(EC, "e"), public(RSA, "r", "RS256"), public(RSA, "p", "PS256")]}
    )
    assert asked(rp, signed(rp, **told(changes, acme))).login("alice").code


def told(changes: dict[str, Any], tenant: Tenant) -> dict[str, Any]:
    now = int(time.time())
    found = {name: value(now) if callable(value) else value for name, value in changes.items()}
    if isinstance(found.get("aud"), list):
        found["aud"] = [tenant.issuer if each == "ISSUER" else each for each in found["aud"]]
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"key": OTHER},
        {"headers": {"kid": "another"}},
        {"headers": {"typ": "at+jwt"}},
        {"headers": {"typ": "client-authentication+jwt"}},
        {"headers": {"crit": ["exp"]}},
        {"headers": {"b64": False}},
        {"key": "s" * 43, "alg": "HS256"},
        {"iss": "web"},
        {"iss": ...},
        {"aud": "https://elsewhere.example"},
        {"aud": ...},
        {"aud": 5},
        {"exp": ...},
        {"exp": lambda now: now - 60},
        {"exp": lambda now: now + 4_200},
        {"exp": "soon"},
        {"exp": True},
        {"nbf": lambda now: now + 60},
        {"iat": lambda now: now + 60},
        {"client_id": "web"},
        {"client_id": 5},
        {"sub": "signer"},
        {"response_type": 5},
        {"scope": ["openid"]},
        {"redirect_uri": [CALLBACK]},
        {"state": {"a": 1}},
        {"nonce": True},
        {"nonce": "a\0b"},
        {"max_age": True},
        {"max_age": [1]},
        {"claims": 5},
        {"resource": {"a": 1}},
        {"resource": [5]},
    ],
)
def test_pj05_what_it_may_not_be(rp: RelyingParty, acme: Tenant, changes: dict[str, Any]) -> None:
    token = signed(rp, **told(changes, acme))
    got = asked(rp, token, redirect_uri=CALLBACK, state="outer").params
    assert (got["error"], got["state"], got["iss"]) == ("invalid_request_object", "outer", acme.issuer)


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "a.b.c.d.e", "eyJhbGciOiJub25lIn0.e30.", "." * 5, "e" * 20_000]
)
def test_pj05_pj07_what_is_no_token_at_all(rp: RelyingParty, token: str) -> None:
    answer = ask(rp.app, rp.tenant, client_id="signer", request=token)
    assert answer.status_code in (302, 303, 400, 413, 414)
    assert answer.status_code >= 400 or "error=invalid_request" in answer.headers["Location"]


def test_pj05_without_a_redirect_uri_that_is_the_clients_an_error_is_a_page(rp: RelyingParty) -> None:
    token = signed(rp, key=OTHER)
    for where in ({}, {"redirect_uri": "https://evil.example/cb"}):
        paged(asked(rp, token, **where).answer, "invalid_request_object")
    paged(asked(rp, signed(rp, redirect_uri="https://evil.example/cb"), redirect_uri=CALLBACK).answer)


def test_pj02_no_request_stands_in_a_request(rp: RelyingParty) -> None:
    for name in ("request", "request_uri"):
        token = signed(rp, **{name: signed(rp)})
        assert asked(rp, token, redirect_uri=CALLBACK).params["error"] == "invalid_request"
    got = asked(rp, signed(rp), request_uri="https://app.example.com/r", redirect_uri=CALLBACK).params
    assert got["error"] == "invalid_request"


def test_tk07_a_client_assertion_is_no_request_object(rp: RelyingParty, acme: Tenant) -> None:
    got = asked(rp, assertion(acme), redirect_uri=CALLBACK).params
    assert got["error"] == "invalid_request_object"


def test_a_pinned_algorithm_is_the_only_one(rp: RelyingParty, acme: Tenant) -> None:
    change(acme, "signer", request_object_signing_alg="ES256")
    assert asked(rp, signed(rp)).login("alice").code
    token = signed(rp, RSA, "RS256", {"kid": "r"})
    assert asked(rp, token, redirect_uri=CALLBACK).params["error"] == "invalid_request_object"


def test_10_5_a_client_may_bind_itself_to_signing(rp: RelyingParty, acme: Tenant) -> None:
    change(acme, "signer", require_signed_request_object=True)
    assert rp.authorize().params["error"] == "invalid_request"
    assert asked(rp, signed(rp)).login("alice").code
    with pytest.raises(InvalidClientMetadata):
        change(acme, "signer", jwks=None)


def test_it_is_opened_once_and_may_expire_while_a_person_types(
    rp: RelyingParty, acme: Tenant, frozen: Any
) -> None:
    change(acme, "signer", require_signed_request_object=True)
    with frozen() as clock:
        visit = asked(rp, signed(rp, iat=..., exp=int(time.time()) + 30))
        clock.tick(600)
        assert visit.login("alice").code


def test_6_2_by_reference_is_off_until_the_policy_says_so(app: Any, acme: Tenant, server: Serving) -> None:
    made = client(
        acme, "signer", jwks={"keys": [public(EC, "e")]}, request_uris=[server.uri], secret="s" * 43
    )
    rp = party(app, acme, made)
    got = rp.authorize(request_uri=server.uri).params
    assert got["error"] == "request_uri_not_supported" and server.asked == 0


@pytest.mark.parametrize(
    "kind", ["application/oauth-authz-req+jwt", "application/jwt; charset=utf-8", "text/plain"]
)
@pytest.mark.parametrize("exp", [..., 300])
def test_6_2_by_reference(by_reference: RelyingParty, server: Serving, kind: str, exp: Any) -> None:
    rp = by_reference
    ends = exp if exp is ... else int(time.time()) + exp
    server.text(signed(rp, RSA, "RS256", {"kid": "r"}, exp=ends, state="inner") + "\n", kind)
    for given in (server.uri, f"{server.uri}#hash", f"{server.uri}#another"):
        browser = rp.browser()
        answer = browser.get(f"/t/acme/authorize?{urlencode({'client_id': 'signer', 'request_uri': given})}")
        visit = Visit(rp, browser, answer).follow()
        assert visit.login("alice").params["state"] == "inner"
    assert server.asked == 3  # once for each request, not once for each page


def test_pj06_only_what_is_registered_is_asked_for(by_reference: RelyingParty, server: Serving) -> None:
    server.text(signed(by_reference), "application/jwt")
    for wrong in (
        f"{server.uri}/", f"{server.uri}?a=1", server.uri.upper(), "http://169.254.169.254/latest", "urn:x:y",
        "https://evil.example/r",
    ):  # fmt: skip
        got = by_reference.authorize(request_uri=wrong).params
        assert got["error"] == "invalid_request_uri", wrong
    assert server.asked == 0


@pytest.mark.parametrize(
    ("body", "kind", "status", "error"),
    [
        ("good", "text/html", 200, "invalid_request_uri"), ("\u00e9", "application/jwt", 200, "invalid_request_uri"),
        ("e" * 20_000, "application/jwt", 200, "invalid_request_uri"),
        ("foreign", "application/jwt", 200, "invalid_request_object"),
        ("good", "application/jwt", 404, "invalid_request_uri"),
    ],
)  # fmt: skip
def test_6_2_what_cannot_be_read_is_told(
    by_reference: RelyingParty, server: Serving, body: str, kind: str, status: int, error: str
) -> None:
    made = {"good": signed(by_reference), "foreign": signed(by_reference, OTHER)}
    server.text(made.get(body, body), kind)
    server.status = status
    assert by_reference.authorize(request_uri=server.uri).params["error"] == error


def test_6_2_nobody_is_made_a_hammer(
    by_reference: RelyingParty, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved, real = [0.0], clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: real() + moved[0])
    server.status = 500
    for _ in range(20):
        assert by_reference.authorize(request_uri=server.uri).params["error"] == "invalid_request_uri"
    assert server.asked == 1
    moved[0] += fetching.AGAIN + 1
    server.status = 200
    server.text(signed(by_reference), "application/jwt")
    server.heads["Cache-Control"] = "max-age=3600"
    for _ in range(20):
        assert 'id="login-form"' in by_reference.authorize(request_uri=server.uri).html
    assert server.asked == 2
    moved[0] += request_object.FRESH + 1
    assert 'id="login-form"' in by_reference.authorize(request_uri=server.uri).html
    assert server.asked == 3


def test_discovery_says_what_is_spoken(app: Any, acme: Tenant) -> None:
    def told() -> dict[str, Any]:
        return dict(app.test_client().get("/t/acme/.well-known/openid-configuration").get_json())

    assert told()["request_parameter_supported"] is True
    assert told()["request_uri_parameter_supported"] is False
    assert "none" not in told()["request_object_signing_alg_values_supported"]
    policy(acme, request_uri_parameter=True)
    assert (
        told()["request_uri_parameter_supported"] is True
        and told()["require_request_uri_registration"] is True
    )


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS512", "", 5, None])
def test_pj05_an_algorithm_that_is_none_of_ours(rp: RelyingParty, alg: Any) -> None:
    head, body, mark = signed(rp).split(".")
    head = b64(json.dumps({"alg": alg, "kid": "e"}).encode())
    for token in (f"{head}.{body}.{mark}", f"{head}.{body}."):
        got = asked(rp, token, redirect_uri=CALLBACK).params
        assert got["error"] == "invalid_request_object"
