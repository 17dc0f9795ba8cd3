"""FAPI 2.0 Security Profile, final: the suite's modules, in-process, for a client with `profile: fapi2`.

Each test carries the name of its module without the prefix `fapi2-security-profile-final-`.
"""

import math
import time
from collections import Counter
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from idp.tenants import Tenant
from tests.attacks.acting import change, client, paged, party, policy, refused
from tests.playing import relying_party
from tests.spec.fapi2.driving import CALLBACK, DUMMIES, Fapi
from tests.spec.rfc9449.proving import Key

RSA = rsa.generate_private_key(65537, 2048)
CLIENT = ("invalid_client", "invalid_request")


@pytest.fixture
def first(app: Any, acme: Tenant) -> Fapi:
    return Fapi(app, acme, "first").registered()


@pytest.fixture
def second(app: Any, acme: Tenant) -> Fapi:
    return Fapi(app, acme, "second", DUMMIES).registered()


def no(answer: Any, *errors: str) -> None:
    """A 400 or 401 with one of these errors."""
    assert answer.status_code in (400, 401), answer.get_data(as_text=True)
    assert answer.get_json()["error"] in errors, answer.get_json()


def entropy(text: str) -> float:
    counts = Counter(text)
    return -sum(n * math.log2(n / len(text)) for n in counts.values())


def test_discovery_end_point_verification(first: Fapi) -> None:
    told = first.app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    other = first.app.test_client().get("/.well-known/oauth-authorization-server/t/acme").get_json()
    assert other == told
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["pushed_authorization_request_endpoint"] == f"{told['issuer']}/par"
    assert {"PS256", "ES256"} & set(told["dpop_signing_alg_values_supported"])
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]
    assert {"PS256", "ES256", "EdDSA"} & set(told["token_endpoint_auth_signing_alg_values_supported"])
    assert "ES256" in told["id_token_signing_alg_values_supported"]
    assert "S256" in told["code_challenge_methods_supported"] and "code" in told["response_types_supported"]
    assert "jwt" in told["response_modes_supported"] and "authorization_code" in told["grant_types_supported"]


def test_happy_flow(first: Fapi, second: Fapi) -> None:
    pushed = first.push()
    body = pushed.get_json()
    assert (
        pushed.status_code == 201 and set(body) == {"request_uri", "expires_in"} and body["expires_in"] >= 5
    )
    assert entropy(body["request_uri"]) >= 96
    visit = first.browse(body["request_uri"]).login("alice")
    assert set(visit.params) == {"code", "state", "iss"} and visit.params["iss"] == first.tenant.issuer
    answer = first.redeem(visit.code)
    tokens = answer.get_json()
    assert tokens["token_type"] == "DPoP" and tokens["expires_in"] > 0
    claims = first.rp.verified(tokens["id_token"], "first")
    assert claims["nonce"] == first.rp.nonce and "sid" not in claims
    for name in ("id_token", "access_token"):
        assert pyjwt.get_unverified_header(tokens[name])["alg"] == "ES256"
    assert first.resource.userinfo(tokens["access_token"]).status_code == 200
    theirs = second.login(state="s" * 128)
    assert theirs.location.startswith(DUMMIES) and theirs.params["state"] == "s" * 128
    assert set(theirs.params) == {"code", "state", "iss", "dummy1", "dummy2"}
    token = second.redeem(theirs.code).get_json()["access_token"]
    assert first.resource.userinfo(token).status_code == 401
    assert second.resource.userinfo(token).status_code == 200


def test_user_rejects_authentication(first: Fapi, second: Fapi) -> None:
    for one in (first, second):
        visit = one.browse(one.name(state="kept")).submit(action="cancel")
        assert visit.params["error"] == "access_denied" and visit.params["state"] == "kept"


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None}, {"nonce": None}, {"nonce": "n" * 64}, {"nonce": "n" * 384}, {"state": "s" * 1024},
        {"scope": "profile openid offline_access"},
    ],
)  # fmt: skip
def test_ensure_requests_that_are_good_succeed(first: Fapi, changes: dict[str, str | None]) -> None:
    """…-without-state, -without-nonce, -with-64-char-nonce, -with-long-nonce, -with-long-state, other-scope-order."""
    visit = first.login(**changes)
    assert visit.params.get("state") == changes.get("state", first.rp.state)
    claims = first.rp.verified(first.redeem(visit.code).get_json()["id_token"], "first")
    assert claims.get("nonce") == changes.get("nonce", first.rp.nonce)


def test_test_claims_parameter_identity_claims(first: Fapi) -> None:
    wanted = '{"id_token":{"email":null},"userinfo":{"given_name":{"essential":true}},"unknown":{"x":1}}'
    tokens = first.tokens(claims=wanted)
    claims = first.rp.verified(tokens["id_token"], "first")
    assert claims["email"] == "alice@example.com" and "sid" not in claims
    assert first.resource.userinfo(tokens["access_token"]).get_json()["given_name"] == "Alice"


def test_access_token_type_header_case_sensitivity(first: Fapi) -> None:
    token = first.tokens()["access_token"]
    assert {first.resource.userinfo(token, scheme=one).status_code for one in ("dPOP", "DPOP", "dpop")} == {
        200
    }


def test_check_dpop_proof_nbf_exp(first: Fapi) -> None:
    now = int(time.time())
    for endpoint in ("par", "token"):
        proof = first.holds.proof(first.at(endpoint), nbf=now, exp=now + 60)
        if endpoint == "par":
            visit = first.browse(first.name(proof=proof)).login("alice")
        else:
            assert first.redeem(visit.code, proof=proof).status_code == 200


@pytest.mark.parametrize("away", [-10, 10])
def test_ensure_dpopproof_with_iat_10seconds_before_and_after_succeeds(
    first: Fapi, frozen: Any, away: int
) -> None:
    with frozen():
        at = int(time.time()) + away
        visit = first.browse(first.name(proof=first.holds.proof(first.at("par"), iat=at))).login("alice")
        tokens = first.redeem(visit.code, proof=first.holds.proof(first.at("token"), iat=at)).get_json()
        assert first.resource.userinfo(tokens["access_token"], iat=at).status_code == 200


def test_ensure_mismatched_dpop_jkt_fails(first: Fapi) -> None:
    no(first.push(dpop_jkt=Key().thumbprint), "invalid_request", "invalid_dpop_proof")


def test_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt_and_dpop_jkt(first: Fapi) -> None:
    other = Key()
    for changes in ({}, {"proof": None, "dpop_jkt": first.holds.thumbprint}):
        code = first.login(**changes).code
        no(first.redeem(code, proof=other.proof(first.at("token"))), "invalid_grant", "invalid_dpop_proof")


def test_ensure_dpopproof_at_par_endpoint_binding_and_dpop_auth_code_binding_success(first: Fapi) -> None:
    assert first.redeem(first.login().code).status_code == 200
    assert first.redeem(first.login(proof=None, dpop_jkt=first.holds.thumbprint).code).status_code == 200
    assert first.redeem(first.login(proof=None).code).status_code == 200


def test_state_only_outside_request_object_not_used_and_what_differs_outside_is_ignored(first: Fapi) -> None:
    visit = first.browse(first.name(state=None), state="outer", nonce="outer").login("alice")
    assert "state" not in visit.params
    claims = first.rp.verified(first.redeem(visit.code).get_json()["id_token"], "first")
    assert claims["nonce"] == first.rp.nonce


def test_ensure_redirect_uri_in_authorization_request(first: Fapi) -> None:
    no(first.push(redirect_uri=None), "invalid_request")
    no(first.push(redirect_uri="https://rp.example/other"), "invalid_request")


def test_ensure_unsigned_authorization_request_without_using_par_fails(first: Fapi) -> None:
    visit = first.rp.authorize()
    assert visit.params["error"] == "invalid_request"
    signed = first.signed()
    assert first.rp.authorize(request=signed).params["error"] == "invalid_request"


@pytest.mark.parametrize("response_type", ["code id_token", "token", "id_token", "code token", "none"])
def test_ensure_response_type_code_idtoken_and_token_fails(first: Fapi, response_type: str) -> None:
    policy(first.tenant, implicit_flow=True, hybrid_flow=True)
    no(
        first.push(response_type=response_type),
        "unsupported_response_type",
        "invalid_request",
        "unauthorized_client",
    )


def test_ensure_client_id_in_token_endpoint_and_code_is_bound_to_client(first: Fapi, second: Fapi) -> None:
    code = first.login().code
    no(first.redeem(code, client_id="second"), "invalid_client", "invalid_request")
    no(second.redeem(code, redirect_uri=CALLBACK, code_verifier=first.rp.verifier), "invalid_grant")


def test_ensure_holder_of_key_required(first: Fapi) -> None:
    code = first.login().code
    no(first.redeem(code, proof=None), "invalid_request", "invalid_grant", "invalid_dpop_proof")
    assert first.redeem(code).status_code == 200


def test_attempt_reuse_authorization_code_after_one_second(first: Fapi) -> None:
    code = first.login().code
    token = first.redeem(code).get_json()["access_token"]
    no(first.redeem(code), "invalid_grant")
    assert first.resource.userinfo(token).status_code == 401


def test_ensure_token_endpoint_fails_with_expired_auth_code(first: Fapi, frozen: Any) -> None:
    with frozen() as clock:
        code = first.login().code
        clock.tick(62)
        no(first.redeem(code), "invalid_grant")


def test_ensure_signed_client_assertion_with_rs256_fails(app: Any, acme: Tenant) -> None:
    key = Key(RSA, "RS256")
    one = Fapi(app, acme, "rsa", signs=key).registered()
    no(one.push(), *CLIENT)
    one.signs = Key(RSA, "PS256")
    assert one.push().status_code == 201


def test_every_algorithm_of_the_profile(app: Any, acme: Tenant) -> None:
    for key in (Key(RSA, "PS256"), Key(ed25519.Ed25519PrivateKey.generate(), "EdDSA"), Key()):
        one = Fapi(app, acme, f"with-{key.alg}".lower(), signs=key, holds=key).registered()
        assert one.tokens()["token_type"] == "DPoP"


@pytest.mark.parametrize("endpoint", ["par", "token"])
def test_ensure_client_assertion_is_there_and_good(first: Fapi, endpoint: str) -> None:
    """…-in-token-endpoint, -with-exp-is-5-minutes-in-past, -with-wrong-aud, -with-no-sub, and those of PAR."""
    now = int(time.time())
    wrong: list[dict[str, Any]] = [
        {"exp": now - 300}, {"aud": "https://other.example"}, {"sub": ...}, {"aud": [first.tenant.issuer]},
        {"aud": first.at("par")}, {"aud": first.at("token")}, {"nbf": now + 61}, {"exp": ...}, {"jti": ...},
        {"aud": [first.tenant.issuer, "https://other.example"]},
    ]  # fmt: skip
    policy(first.tenant, assertion_for_token_endpoint=True)  # which others of the tenant may have
    form = {"grant_type": "client_credentials"} if endpoint == "token" else first.request()
    for changes in wrong:
        no(first.post(endpoint, form, assertion=first.assertion(**changes)), *CLIENT)
    missing = first.app.test_client().post(f"/t/acme/{endpoint}", data={**form, "client_id": "first"})
    no(missing, *CLIENT)


def test_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(first: Fapi) -> None:
    assert first.push(assertion=first.assertion(nbf=int(time.time()) + 8)).status_code == 201


def test_refresh_token(first: Fapi, second: Fapi, frozen: Any) -> None:
    with frozen() as clock:
        tokens = first.tokens()
        old = tokens["refresh_token"]
        form = {"grant_type": "refresh_token", "refresh_token": old, "client_id": "first"}
        no(first.app.test_client().post("/t/acme/token", data=form), "invalid_client")
        no(first.refresh(old, proof=None), "invalid_request")
        no(second.refresh(old), "invalid_grant")
        moved = Key()
        answer = first.refresh(old, proof=moved.proof(first.at("token")))
        assert answer.status_code == 200 and answer.get_json()["refresh_token"] == old
        clock.tick(31)
        assert first.refresh(old).status_code == 200  # nothing was rotated


def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds_and_attempt_reuse(
    first: Fapi,
) -> None:
    name = first.name()
    browser = first.rp.browser()
    assert 'id="login-form"' in first.browse(name, browser).html
    assert first.browse(name, browser).login("alice").code
    paged(first.browse(name, browser).answer, "invalid_request_uri")


def test_par_attempt_to_use_expired_request_uri(first: Fapi, frozen: Any) -> None:
    with frozen() as clock:
        name = first.name()
        clock.tick(61)
        paged(first.browse(name).answer, "invalid_request_uri")


def test_par_attempt_to_use_request_uri_for_different_client(first: Fapi, second: Fapi) -> None:
    paged(second.browse(first.name()).answer, "invalid_request_uri")


def test_par_authorization_request_containing_request_uri_form_param(first: Fapi) -> None:
    no(first.push(request_uri=first.name()), "invalid_request")


def test_par_attempt_invalid_http_method(first: Fapi) -> None:
    assert first.app.test_client().put("/t/acme/par").status_code == 405


def test_par_ensure_pkce_required_and_plain_pkce_rejected(first: Fapi) -> None:
    policy(first.tenant, require_pkce="public")  # of others
    no(first.push(code_challenge=None, code_challenge_method=None), "invalid_request")
    no(first.push(code_challenge_method="plain"), "invalid_request")


def test_ensure_pkce_code_verifier_required_and_incorrect_rejected(first: Fapi) -> None:
    for verifier in ("", "x" * 43):
        no(first.redeem(first.login().code, code_verifier=verifier), "invalid_grant")


def test_par_without_duplicate_parameters(first: Fapi) -> None:
    assert first.login().code


def test_fapi_client_credentials_grant_without_a_refresh_token(app: Any, acme: Tenant) -> None:
    one = Fapi(app, acme, "service").registered(
        grant_types=["client_credentials"], redirect_uris=None, scope="own.things"
    )
    body = one.post("token", {"grant_type": "client_credentials"}).get_json()
    assert body["token_type"] == "DPoP" and "refresh_token" not in body
    no(one.post("token", {"grant_type": "client_credentials"}, proof=None), "invalid_request")


def test_both_kinds_of_clients_live_in_one_tenant(first: Fapi) -> None:
    plain = relying_party(first.app, first.tenant)
    assert plain.sign_in()["token_type"] == "Bearer" and first.tokens()["token_type"] == "DPoP"


def test_as_the_policy_of_a_tenant_it_holds_for_clients_of_before(app: Any, acme: Tenant) -> None:
    one = Fapi(app, acme, "before").registered(profile=None)
    assert one.rp.authorize().html  # a plain request is answered
    strict = policy(acme, security_profile="fapi2")
    rp = relying_party(app, strict)
    assert rp.authorize().params["error"] == "invalid_request"
    no(rp.post("par", rp.request()), "invalid_client")
    for client_id in ("spa", "asks", "nightly"):
        no(
            relying_party(app, strict, client_id).post("token", {"grant_type": "client_credentials"}),
            "invalid_client",
        )
    assert one.rp.authorize().params["error"] == "invalid_request"
    assert one.tokens()["token_type"] == "DPoP"
    with pytest.raises(Exception, match="profile fapi2"):
        client(strict, "late", secret="s" * 43)


@pytest.mark.parametrize(
    ("fields", "promise"),
    [
        ({"require_pkce": False}, "bound to the request that asked for it"),
        ({"rotate_refresh_tokens": True}, "locks no client out"),
        ({"assertion_for_token_endpoint": True}, "of no use elsewhere"),
        ({"require_pushed_authorization_requests": False}, "changed in a browser"),
        ({"dpop_bound_access_tokens": False}, "worth nothing"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "without a shared secret"),
        ({"token_endpoint_auth_method": "none"}, "without a shared secret"),
        ({"redirect_uris": ["http://127.0.0.1/cb"]}, "in the clear"),
        ({"id_token_signed_response_alg": "RS256"}, "PKCS"), ({"token_endpoint_auth_signing_alg": "RS256"}, "PKCS"),
        ({"request_object_signing_alg": "RS256"}, "PKCS"), ({"authorization_signed_response_alg": "RS256"}, "PKCS"),
        ({"userinfo_signed_response_alg": "RS256"}, "PKCS"),
    ],
)  # fmt: skip
def test_whoever_turns_a_part_of_it_off_is_told_which_promise_falls(
    first: Fapi, fields: dict[str, Any], promise: str
) -> None:
    with pytest.raises(Exception, match=promise):
        change(first.tenant, "first", **fields)


def test_response_types_stay_code(first: Fapi) -> None:
    open_ = policy(first.tenant, hybrid_flow=True)
    with pytest.raises(Exception, match="no token travels"):
        change(
            open_, "first", response_types=["code id_token"], grant_types=["authorization_code", "implicit"]
        )


def test_another_client_cannot_reach_it_by_its_own_request(app: Any, acme: Tenant) -> None:
    with pytest.raises(Exception, match="profile"):
        client(acme, "odd", profile="fapi1")
    made = client(acme, "plain", token_endpoint_auth_method="none")
    assert (
        not party(app, acme, made)
        .authorize(profile="fapi2")
        .location.startswith("https://app.example.com/cb?error")
    )


def test_par_quota_and_errors_are_json(first: Fapi) -> None:
    refused(first.push(scope=None), "invalid_scope")


def test_the_clients_of_the_certification_blueprint_keep_it(app: Any, certification: Tenant) -> None:
    suite = "https://suite.example/test/a/idp/callback"
    for client_id, messages in (("fapi-first", False), ("fapi-second", False), ("fapi-signs-first", True)):
        one = Fapi(app, certification, client_id, suite, messages=messages)
        change(certification, client_id, jwks={"keys": [{**one.signs.jwk, "kid": "k", "use": "sig"}]})
        visit = one.browse(one.name()).login("foo", "bar-bar-bar-bar-bar")
        tokens = one.redeem(visit.code).get_json()
        assert tokens["token_type"] == "DPoP" and tokens["refresh_token"]
        claims = one.rp.verified(tokens["id_token"], client_id)
        assert set(claims) <= {
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "acr",
            "amr",
            "at_hash",
        }
