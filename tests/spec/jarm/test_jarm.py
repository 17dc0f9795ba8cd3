"""JWT Secured Authorization Response Mode (JARM, final): the answer is one signed JWT, and nothing stands beside it."""

import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt as pyjwt
import pytest

from idp import directory
from idp.errors import InvalidClientMetadata
from idp.oauth.tokens import id_token
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, party, policy, refused
from tests.attacks.assertions import EC, public
from tests.playing import RelyingParty, Visit, inputs, relying_party
from tests.spec.rfc7516.test_encrypted_tokens import enc, opened
from tests.spec.rfc9126.test_pushed_requests import brought, pushed


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def wire(visit: Visit, way: str) -> str:
    """The one thing that the client gets, by the way that it wanted; nothing else is there."""
    if way == "form_post":
        got = inputs(visit.html)
    else:
        parts = urlsplit(visit.location)
        assert visit.answer.status_code == 303 and visit.location.startswith(visit.rp.redirect_uri)
        assert not (parts.query if way == "fragment" else parts.fragment)
        got = dict(parse_qsl(parts.fragment if way == "fragment" else parts.query))
    assert set(got) == {"response"}, got
    return got["response"]


def told(visit: Visit, way: str = "query", alg: str = "RS256") -> dict[str, Any]:
    """What the answer says, checked by an independent library against the published keys (JARM §2.4)."""
    token = wire(visit, way)
    head = pyjwt.get_unverified_header(token)
    assert head["alg"] == alg and head["kid"]
    claims = visit.rp.verified(token, visit.rp.client_id)
    assert claims["aud"] == visit.rp.client_id and claims["iss"] == visit.rp.tenant.issuer
    assert 10 <= claims["exp"] - time.time() <= 600
    return {name: value for name, value in claims.items() if name not in ("aud", "iss", "exp", "iat")}


@pytest.mark.parametrize(
    ("mode", "way"),
    [("jwt", "query"), ("query.jwt", "query"), ("fragment.jwt", "fragment"), ("form_post.jwt", "form_post")],
)
def test_2_3_a_code_by_every_way(rp: RelyingParty, mode: str, way: str) -> None:
    got = told(rp.authorize(response_mode=mode, state='s&"<+%').login("alice"), way)
    assert set(got) == {"code", "state"} and got["state"] == 's&"<+%'
    assert rp.redeem(got["code"]).status_code == 200


def test_2_1_without_a_state_there_is_none(rp: RelyingParty) -> None:
    assert set(told(rp.authorize(response_mode="jwt", state=None).login("alice"))) == {"code"}


def test_2_1_session_state_is_inside_as_well(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, policy(acme, session_management=True))
    assert "session_state" in told(rp.authorize(response_mode="jwt").login("alice"))


def test_2_3_4_tokens_travel_in_the_fragment(app: Any, acme: Tenant) -> None:
    open_ = policy(acme, implicit_flow=True, hybrid_flow=True)
    types = ["code", "code id_token token", "id_token token"]
    change(
        open_, "web", response_types=types, grant_types=["authorization_code", "implicit", "refresh_token"]
    )
    rp = relying_party(app, open_)
    visit = rp.authorize(response_mode="jwt", response_type="code id_token token").login("alice")
    got = told(visit, "fragment")
    assert {"code", "id_token", "access_token", "token_type", "expires_in", "scope", "state"} == set(got)
    late = rp.authorize(response_mode="query.jwt", response_type="id_token token")
    assert late.fragment["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "unknown-only"}, "invalid_scope"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"max_age": "x"}, "invalid_request"),
    ],
)
@pytest.mark.parametrize("way", ["query", "fragment", "form_post"])
def test_2_1_errors_are_inside_as_well(
    rp: RelyingParty, changes: dict[str, str | None], error: str, way: str
) -> None:
    visit = rp.authorize(response_mode=f"{way}.jwt", **changes)
    got = told(visit, way)
    assert set(got) == {"error", "error_description", "state"} and got["error"] == error


def test_2_1_who_says_no_and_who_must_consent(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme, "asks")
    assert told(rp.authorize(response_mode="jwt").login("alice").consent("deny"))["error"] == "access_denied"
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    assert told(rp.authorize(browser, response_mode="jwt", prompt="none"))["error"] == "consent_required"
    assert told(rp.authorize(response_mode="jwt").submit(action="cancel"))["error"] == "access_denied"


@pytest.mark.parametrize(
    "mode", ["JWT", "query.JWT", ".jwt", "jwt.jwt", "query.jwt.jwt", "web_message.jwt", "form.jwt"]
)
def test_2_3_other_words_are_no_modes(rp: RelyingParty, mode: str) -> None:
    assert rp.authorize(response_mode=mode).params["error"] == "invalid_request"


def test_until_client_and_address_are_verified_it_is_a_page(rp: RelyingParty) -> None:
    answer = rp.authorize(response_mode="jwt", redirect_uri="https://evil.example/cb").answer
    assert answer.status_code == 400 and "Location" not in answer.headers


def test_form_post_needs_http(app: Any, acme: Tenant) -> None:
    made = client(acme, "app", application_type="native", redirect_uris=["com.example.app:/cb"],
                  token_endpoint_auth_method="none")  # fmt: skip
    rp = party(app, acme, made)
    assert rp.authorize(response_mode="form_post.jwt").params["error"] == "invalid_request"
    assert "code" in told(rp.authorize(response_mode="jwt").login("alice"))


def test_3_the_algorithm_is_the_clients(app: Any, acme: Tenant) -> None:
    for alg in ("ES256", "PS256", "EdDSA"):
        change(acme, "web", authorization_signed_response_alg=alg, id_token_signed_response_alg="RS256")
        rp = relying_party(app, acme)
        assert told(rp.authorize(response_mode="jwt").login("alice"), alg=alg)["code"]
    change(acme, "web", authorization_signed_response_alg=None, id_token_signed_response_alg="ES256")
    assert told(rp.authorize(response_mode="jwt").login("alice"), alg="ES256")["code"]


def test_3_an_algorithm_without_a_key_is_told_plainly_before_anybody_signs_in(
    app: Any, acme: Tenant, database: Any
) -> None:
    named = """{"authorization_signed_response_alg": "PS256"}"""
    database("UPDATE clients SET metadata = metadata || %s::jsonb WHERE client_id = 'web'", named)
    directory.forget_all()
    visit = relying_party(app, acme).authorize(response_mode="jwt")
    assert visit.params["error"] == "invalid_request" and "response" not in visit.params


@pytest.mark.parametrize("wrong", ["none", "HS256", "ES512", 7])
def test_3_no_other_algorithm(acme: Tenant, wrong: Any) -> None:
    with pytest.raises(InvalidClientMetadata, match="authorization_signed_response_alg"):
        client(acme, "wrong", authorization_signed_response_alg=wrong)


@pytest.mark.parametrize("alg", ["ECDH-ES", "RSA-OAEP-256"])
def test_2_2_signed_and_then_encrypted(app: Any, acme: Tenant, alg: str) -> None:
    kind = "EC" if alg.startswith("EC") else "RSA"
    made = client(
        acme, "signer", jwks={"keys": [public(EC, "e"), enc(kind)]}, secret="s" * 43,
        authorization_encrypted_response_alg=alg,
    )  # fmt: skip
    rp = party(app, acme, made, "s" * 43)
    for visit, name in ((rp.authorize(response_mode="jwt").login("alice"), "code"),
                        (rp.authorize(response_mode="jwt", prompt="none"), "error")):  # fmt: skip
        claims = rp.verified(opened(wire(visit, "query"), alg), "signer")
        assert claims["state"] == rp.state and name in claims


def test_2_2_without_a_key_nobody_can_register_for_it(acme: Tenant) -> None:
    with pytest.raises(InvalidClientMetadata, match="jwks"):
        client(acme, "wrong", authorization_encrypted_response_alg="ECDH-ES")
    with pytest.raises(InvalidClientMetadata, match="authorization_encrypted_response_alg"):
        client(acme, "wrong", authorization_encrypted_response_enc="A128GCM")


def test_pushed_requests_are_answered_so(rp: RelyingParty) -> None:
    got = told(
        brought(rp, pushed(rp, response_mode="jwt", state="inner"), response_mode="query").login("alice")
    )
    assert got["state"] == "inner" and got["code"]
    refused(rp.post("par", rp.request(response_mode="jwt", scope=None)), "invalid_scope")


def test_tk07_it_is_no_other_token_of_ours(rp: RelyingParty, acme: Tenant) -> None:
    token = wire(rp.authorize(response_mode="jwt").login("alice"), "query")
    assert rp.userinfo(token).status_code == 401
    assert rp.introspect(token) == {"active": False}
    assert rp.authorize(id_token_hint=token, prompt="none").params["error"] == "login_required"
    with entered(acme), pytest.raises(Exception, match="invalid_token"):
        id_token.read(token, expired_is_fine=True)


def test_4_discovery_says_so(app: Any, acme: Tenant) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert {"jwt", "query.jwt", "fragment.jwt", "form_post.jwt"} <= set(document["response_modes_supported"])
    assert (
        document["authorization_signing_alg_values_supported"]
        == document["id_token_signing_alg_values_supported"]
    )
    for part in ("alg", "enc"):
        name = f"_encryption_{part}_values_supported"
        assert document[f"authorization{name}"] == document[f"id_token{name}"]
