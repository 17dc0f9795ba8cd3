"""Whatever a JWT says that a client or an issuer signed, the answer is a registered refusal or what it may have.

Played over HTTP with the very key that is registered, so that every claim and every member of the header reaches the
checks behind the signature.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from idp import ids
from idp.registration import CIBA, JWT_BEARER
from idp.tenants import Tenant
from tests.attacks.acting import client, policy
from tests.attacks.assertions import EC, present, public
from tests.playing import RelyingParty
from tests.receiving import Serving
from tests.spec.rfc7523.asserting import ISSUER, SUBJECT, issuing, linked, trusting
from tests.spec.rfc9449.proving import Key, b64

KEY = Key(EC)
TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just("a\x00b"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
HEAD = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("typ", "alg", "kid", "crit", "jwk", "b64", "zip"), JSON)
)
CLAIMS = (
    "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope", "resource", "client_id", "state", "nonce", "claims",
    "max_age", "acr_values", "prompt", "redirect_uri", "response_type", "response_mode", "code_challenge", "dpop_jkt",
    "authorization_details", "login_hint", "id_token_hint", "login_hint_token", "binding_message", "requested_expiry",
    "user_code", "client_notification_token", "act", "may_act",
)  # fmt: skip
SAID = st.fixed_dictionaries({}, optional=dict.fromkeys(CLAIMS, JSON))
MANY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
KNOWN = {
    "invalid_client", "invalid_request", "invalid_grant", "invalid_scope", "invalid_target", "invalid_request_object",
    "invalid_authorization_details", "unauthorized_client", "unknown_user_id", "invalid_binding_message",
    "unsupported_response_type", "request_not_supported", "invalid_dpop_proof", "missing_user_code",
    "invalid_user_code", "expired_login_hint_token",
}  # fmt: skip

Send = Callable[[str], Any]


def honest(tenant: Tenant, **more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": "signer", "sub": "signer", "aud": tenant.issuer, "jti": ids.secret(), "iat": now, "nbf": now,
            "exp": now + 60, **more}  # fmt: skip


def tried(send: Send, base: Callable[[], dict[str, Any]], good: Callable[[Any], bool]) -> None:
    """Send what hypothesis makes of the header, of the claims, and of the bytes of each part."""

    def told(token: str) -> None:
        answer = send(token)
        assert answer.status_code < 500, (token, answer.get_data(as_text=True)[:500])
        if answer.status_code >= 400:
            body = answer.get_json()
            assert set(body) == {"error", "error_description"} and body["error"] in KNOWN, (token, body)
            assert body["error_description"].isascii() and body["error_description"].isprintable()
        else:
            assert good(answer), token

    @MANY
    @given(HEAD, SAID)
    @example({}, {"resource": [{}]})
    @example({}, {"resource": 5})
    @example({}, {"sub": "a\x00b"})
    @example({}, {"aud": {"x": []}})
    def said(head: dict[str, Any], claims: dict[str, Any]) -> None:
        told(KEY.raw({"kid": "e", **head}, base()))
        told(KEY.raw({"kid": "e"}, {**base(), **claims}))
        told(KEY.raw({"kid": "e"}, claims))

    @MANY
    @given(st.binary(max_size=200), st.integers(0, 2))
    def bytes_in_a_part(junk: bytes, number: int) -> None:
        pieces = KEY.raw({"kid": "e"}, base()).split(".")
        pieces[number] = b64(junk)
        told(".".join(pieces))

    said()
    bytes_in_a_part()


@pytest.fixture
def loose(acme: Tenant) -> Tenant:
    """Acme without the throttles that a hundred tries would meet."""
    client(
        acme, "signer", token_endpoint_auth_method="private_key_jwt", scope="openid profile things",
        grant_types=["client_credentials", "authorization_code", CIBA], jwks={"keys": [public(EC, "e")]},
    )  # fmt: skip
    return policy(
        acme, client_failures=100_000, pushed_requests=100_000, elsewhere_requests=100_000, user_code_failures=100_000,
        mails=1_000,
    )  # fmt: skip


def test_ca10_ca11_whatever_a_client_assertion_says(app: Any, loose: Tenant) -> None:
    def own(answer: Any) -> bool:
        return bool(answer.get_json()["scope"] == "things")

    tried(lambda token: present(app, loose, token), lambda: honest(loose), own)


def test_pj05_whatever_a_request_object_says(app: Any, loose: Tenant) -> None:
    rp = RelyingParty(app, loose, "signer", None, "https://app.example.com/cb", "none")

    def pushed(token: str) -> Any:
        assertion = KEY.raw({"kid": "e"}, honest(loose))
        return present(app, loose, assertion, "par", request=token, grant_type=None, token=None)

    def base() -> dict[str, Any]:
        return honest(loose, **rp.request(), sub=loose.slug)

    tried(pushed, base, lambda answer: set(answer.get_json()) == {"request_uri", "expires_in"})


def test_df08_whatever_a_backchannel_request_says(app: Any, loose: Tenant) -> None:
    def sent(token: str) -> Any:
        assertion = KEY.raw({"kid": "e"}, honest(loose))
        return present(app, loose, assertion, "bc-authorize", request=token, grant_type=None, token=None)

    def base() -> dict[str, Any]:
        return {**honest(loose, scope="openid", login_hint="alice"), "sub": ...}

    def kept() -> dict[str, Any]:
        return {name: value for name, value in base().items() if value is not ...}

    tried(sent, kept, lambda answer: set(answer.get_json()) == {"auth_req_id", "expires_in", "interval"})


@pytest.fixture
def issuer(acme: Tenant) -> Iterator[Serving]:
    with issuing() as server:
        trusting(acme, server)
        linked(acme, "alice")
        yield server


def test_tx05_whatever_an_issuer_says(app: Any, acme: Tenant, issuer: Serving) -> None:
    client(
        acme, "agent", secret="j" * 43, redirect_uris=[], grant_types=[JWT_BEARER], scope="profile things",
        assertion_issuers=[ISSUER],
    )  # fmt: skip
    rp = RelyingParty(app, acme, "agent", "j" * 43, "", "client_secret_basic")

    def brought(token: str) -> Any:
        return rp.post("token", {"grant_type": JWT_BEARER, "assertion": token, "scope": "things"})

    def base() -> dict[str, Any]:
        return honest(acme, iss=ISSUER, sub=SUBJECT)

    tried(brought, base, lambda answer: answer.get_json()["scope"] == "things")
