"""JWT Response for OAuth Token Introspection (RFC 9701): what introspection says, signed for one client."""

import time
from typing import Any

import jwt as pyjwt
import pytest

from idp.errors import InvalidClientMetadata
from idp.tenants import Tenant
from tests.attacks.acting import change, client, party, refused
from tests.attacks.assertions import EC, public
from tests.playing import RelyingParty, relying_party
from tests.spec.rfc7516.test_encrypted_tokens import enc, opened
from tests.spec.rfc9449.proving import Prover

JWT = "application/token-introspection+jwt"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def asked(rp: RelyingParty, token: str, accept: str = JWT) -> Any:
    return rp.post("introspect", {"token": token}, headers={"Accept": accept})


def told(rp: RelyingParty, answer: Any, alg: str = "RS256") -> dict[str, Any]:
    """What is inside, checked by an independent library (§5)."""
    assert (
        answer.status_code == 200 and answer.mimetype == JWT and answer.headers["Cache-Control"] == "no-store"
    )
    text = answer.get_data(as_text=True)
    head = pyjwt.get_unverified_header(text)
    assert (head["typ"], head["alg"]) == ("token-introspection+jwt", alg)
    claims = rp.verified(text, rp.client_id)
    assert set(claims) == {"iss", "aud", "iat", "token_introspection"} and claims["aud"] == rp.client_id
    assert abs(claims["iat"] - time.time()) < 60
    return dict(claims["token_introspection"])


def test_5_the_very_same_as_json_says(rp: RelyingParty) -> None:
    tokens = rp.sign_in()
    for name in ("access_token", "refresh_token"):
        assert told(rp, asked(rp, tokens[name])) == rp.introspect(tokens[name])
    bound = Prover(rp).sign_in()["access_token"]
    assert told(rp, asked(rp, bound))["cnf"] == rp.introspect(bound)["cnf"]


def test_tk21_5_what_is_not_to_be_known_is_inactive_and_nothing_more(
    app: Any, globex: Tenant, rp: RelyingParty
) -> None:
    others = relying_party(app, rp.tenant, "spa").sign_in()["access_token"]
    theirs = relying_party(app, globex).sign_in()["access_token"]
    for token in (others, theirs, "nothing", others[:-4] + "AAAA"):
        assert told(rp, asked(rp, token)) == {"active": False}


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "application/json", "application/jwt", "application/*", f"{JWT};q=0", f"{JWT}x", f"x/{JWT}"],
)
def test_4_whoever_does_not_name_it_gets_json(rp: RelyingParty, accept: str) -> None:
    answer = asked(rp, rp.sign_in()["access_token"], accept)
    assert answer.mimetype == "application/json" and answer.get_json()["active"] is True


@pytest.mark.parametrize("accept", [JWT.upper(), f"application/json;q=0.5, {JWT}", f"{JWT};q=0.9;x=1"])
def test_4_it_may_stand_among_others(rp: RelyingParty, accept: str) -> None:
    assert told(rp, asked(rp, rp.sign_in()["access_token"], accept))["active"] is True


def test_6_the_algorithm_is_the_clients(app: Any, acme: Tenant, rp: RelyingParty) -> None:
    token = rp.sign_in()["access_token"]
    for alg in ("ES256", "PS256", "EdDSA"):
        change(acme, "web", introspection_signed_response_alg=alg)
        assert told(rp, asked(rp, token), alg)["active"] is True
    with pytest.raises(InvalidClientMetadata, match="introspection_signed_response_alg"):
        change(acme, "web", introspection_signed_response_alg="none")


@pytest.mark.parametrize("alg", ["ECDH-ES", "RSA-OAEP-256"])
def test_6_encrypted_for_the_client(app: Any, acme: Tenant, alg: str) -> None:
    kind = "EC" if alg.startswith("EC") else "RSA"
    made = client(
        acme, "signer", jwks={"keys": [public(EC, "e"), enc(kind)]}, secret="s" * 43,
        introspection_encrypted_response_alg=alg,
    )  # fmt: skip
    rp = party(app, acme, made, "s" * 43)
    token = rp.sign_in()["access_token"]
    claims = rp.verified(opened(asked(rp, token).get_data(as_text=True), alg), "signer")
    assert claims["token_introspection"]["active"] is True
    assert rp.introspect(token)["active"] is True  # as JSON, for whoever asks for that


def test_errors_stay_json(app: Any, rp: RelyingParty) -> None:
    refused(rp.post("introspect", {}, headers={"Accept": JWT}), "invalid_request")
    answer = rp.post("introspect", {"token": "x"}, authenticated=False, headers={"Accept": JWT})
    refused(answer, "invalid_client", 401)


def test_tk07_8_1_it_is_no_token_itself(rp: RelyingParty) -> None:
    text = asked(rp, rp.sign_in()["access_token"]).get_data(as_text=True)
    assert rp.userinfo(text).status_code == 401 and rp.introspect(text) == {"active": False}
    assert rp.authorize(id_token_hint=text, prompt="none").params["error"] == "login_required"


def test_7_discovery_says_so(app: Any, acme: Tenant) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert (
        document["introspection_signing_alg_values_supported"]
        == document["id_token_signing_alg_values_supported"]
    )
    assert document["introspection_encryption_alg_values_supported"]
