"""OpenID Connect Core 1.0 §5.3.2: userinfo as a signed JWT, for the client that asked for one, and for nothing else."""

from typing import Any

import jwt as pyjwt
import pytest

from idp.errors import InvalidClientMetadata, InvalidToken
from idp.oauth.tokens import id_token
from idp.tenants import Tenant, entered
from tests.attacks.acting import change
from tests.playing import RelyingParty, relying_party

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    change(acme, "web", userinfo_signed_response_alg="RS256")
    return relying_party(app, acme)


def signed(rp: RelyingParty) -> str:
    """The JWT that userinfo answers to somebody who has just signed in."""
    answer = rp.userinfo(rp.sign_in(scope="openid profile email")["access_token"])
    assert answer.status_code == 200 and answer.mimetype == "application/jwt"
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.get_data(as_text=True))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_5_3_2_it_is_signed_with_the_algorithm_that_the_client_registered(rp: RelyingParty, alg: str) -> None:
    change(rp.tenant, "web", userinfo_signed_response_alg=alg)
    token = signed(rp)
    assert pyjwt.get_unverified_header(token)["alg"] == alg
    claims = rp.verified(token, rp.client_id)
    assert claims["iss"] == rp.tenant.issuer and claims["aud"] == rp.client_id


def test_5_3_2_it_says_what_the_json_says(rp: RelyingParty) -> None:
    access_token = rp.sign_in(scope="openid profile email")["access_token"]
    told = rp.verified(rp.userinfo(access_token).get_data(as_text=True), rp.client_id)
    change(rp.tenant, "web", userinfo_signed_response_alg=None)
    plain = rp.userinfo(access_token)
    assert plain.mimetype == "application/json" and "email" in told
    assert {**plain.get_json(), "iss": rp.tenant.issuer, "aud": rp.client_id} == told


def test_5_3_4_its_subject_is_that_of_the_id_token(rp: RelyingParty) -> None:
    tokens = rp.sign_in()
    told = rp.verified(rp.userinfo(tokens["access_token"]).get_data(as_text=True), rp.client_id)
    assert told["sub"] == rp.verified(tokens["id_token"], rp.client_id)["sub"]


def test_rfc8725_3_12_nobody_takes_it_for_an_id_token(rp: RelyingParty) -> None:
    token = signed(rp)
    assert not {"exp", "iat", "nonce", "auth_time"} & set(rp.verified(token, rp.client_id))
    with entered(rp.tenant), pytest.raises(InvalidToken) as refusal:
        id_token.read(token, audience=rp.client_id, expired_is_fine=True)
    assert refusal.value.rule == "token.exp"
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    assert "code" not in rp.authorize(browser, prompt="none", id_token_hint=token).params


def test_rfc8725_3_12_nobody_takes_it_for_an_access_token(rp: RelyingParty) -> None:
    token = signed(rp)
    assert rp.userinfo(token).status_code == 401
    assert rp.introspect(token) == {"active": False}


def test_5_3_3_an_error_is_no_jwt(rp: RelyingParty) -> None:
    answer = rp.userinfo("x.y.z")
    assert answer.status_code == 401 and answer.mimetype == "application/json"


@pytest.mark.parametrize("alg", ["none", "HS256", "RS1", 1])
def test_registration_2_only_what_is_signed_here_can_be_registered(acme: Tenant, alg: object) -> None:
    with pytest.raises(InvalidClientMetadata) as refusal:
        change(acme, "web", userinfo_signed_response_alg=alg)
    assert refusal.value.rule == "userinfo_signed_response_alg"
