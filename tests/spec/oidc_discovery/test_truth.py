"""OpenID Connect Discovery 1.0 §3: what the document lists works, and its next of kin that it does not list is refused.

Each list is read from the document itself, so that a word that is put there and not spoken fails here.
"""

import json
from typing import Any

import jwt as pyjwt
import pytest

from idp.control import groups, users
from idp.tenants import Tenant, entered
from tests.attacks.acting import client, party, policy
from tests.attacks.assertions import EC, RSA, public
from tests.playing import RelyingParty, inputs
from tests.spec.rfc7591.registering import GOOD, ask, registered
from tests.spec.rfc7591.registering import party as registered_party

GRANTS = ["authorization_code", "implicit", "refresh_token"]
SIGNED = ("id_token", "userinfo", "authorization", "introspection")
PLAIN = {"code_challenge": None, "code_challenge_method": None}


@pytest.fixture
def op(acme: Tenant) -> Tenant:
    """A tenant that speaks nearly everything."""
    return policy(
        acme, client_registration="open", registrations=10_000, registered_clients_of_one=10_000, implicit_flow=True,
        hybrid_flow=True, require_pkce="public", request_uri_parameter=True, encryption_keys=True,
        registration="open",
    )  # fmt: skip


def discovery(app: Any, tenant: Tenant) -> dict[str, Any]:
    return dict(app.test_client().get(f"/t/{tenant.slug}/.well-known/openid-configuration").get_json())


def whole(app: Any, op: Tenant, **fields: Any) -> RelyingParty:
    """A client that an operator has made for everything."""
    known = discovery(app, op)
    made = client(
        op, "whole", secret="w" * 43, response_types=known["response_types_supported"], grant_types=GRANTS,
        scope="openid profile email address phone groups roles offline_access", **fields,
    )  # fmt: skip
    return party(app, op, made, "w" * 43)


def returned(visit: Any) -> dict[str, str]:
    """What came back, wherever it stands."""
    if visit.answer.status_code == 200:
        return inputs(visit.html)
    return dict(visit.fragment if "#" in visit.location else visit.params)


def accepted(app: Any, op: Tenant, **fields: Any) -> bool:
    """Whether an application may register itself so."""
    return bool(ask(app, op, "POST", None, {**GOOD, **fields}).status_code == 201)


@pytest.mark.parametrize("flows", [True, False])
def test_response_types_supported(app: Any, op: Tenant, flows: bool) -> None:
    rp = whole(app, op)
    told = set(discovery(app, policy(op, implicit_flow=flows, hybrid_flow=flows))["response_types_supported"])
    assert ("code id_token" in told) is flows
    every = {"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
    for each in every | {"token", "none", "code none"}:
        visit = rp.authorize(response_type=each, scope="openid", **PLAIN)
        works = visit.answer.status_code == 200 and 'id="login-form"' in visit.html
        assert works is (each in told), (each, visit.location)


def test_response_modes_supported(app: Any, op: Tenant) -> None:
    rp = whole(app, op)
    told = discovery(app, op)["response_modes_supported"]
    for each in [*told, "web_message", "query.form_post", ""]:
        got = returned(rp.authorize(response_mode=each, prompt="none", **PLAIN))
        if "jwt" in each and each in told:
            claims = rp.verified(got["response"], "whole")
            assert claims["error"] == "login_required", each
        else:
            assert got["error"] == ("login_required" if each in told or not each else "invalid_request"), each


def test_grant_types_supported(app: Any, op: Tenant) -> None:
    rp = whole(app, op)
    told = set(discovery(app, op)["grant_types_supported"])
    assert "implicit" in told
    kin = {"password", "urn:ietf:params:oauth:grant-type:saml2-bearer", "implicit", "code", "none"}
    for each in told | kin:
        error = rp.post("token", {"grant_type": each}).get_json()["error"]
        assert (error == "unsupported_grant_type") is (each in kin), (each, error)
    assert (
        "implicit"
        not in discovery(app, policy(op, implicit_flow=False, hybrid_flow=False))["grant_types_supported"]
    )


def test_token_endpoint_auth_methods_supported(app: Any, op: Tenant) -> None:
    told = set(discovery(app, op)["token_endpoint_auth_methods_supported"])
    keys = {"jwks": {"keys": [public(EC, "e")]}}
    kin = {"client_secret_jwt", "attest_jwt_client_auth", ""}
    for each in told | kin:
        more = {"private_key_jwt": keys, "self_signed_tls_client_auth": keys,
                "tls_client_auth": {"tls_client_auth_san_dns": "app.example.com"}}.get(each, {})  # fmt: skip
        assert accepted(app, op, token_endpoint_auth_method=each, **more) is (each in told), each
    for endpoint in ("introspection", "revocation"):
        assert set(discovery(app, op)[f"{endpoint}_endpoint_auth_methods_supported"]) <= told


def test_signing_algorithms(app: Any, op: Tenant) -> None:
    known = discovery(app, op)
    for what in SIGNED:
        told = known[f"{what}_signing_alg_values_supported"]
        for each in [*told, "none", "HS256", "RS512", "ES384", "RS1"]:
            assert accepted(app, op, **{f"{what}_signed_response_alg": each}) is (each in told), (what, each)
    for each in known["id_token_signing_alg_values_supported"]:
        rp = registered_party(app, op, registered(app, op, id_token_signed_response_alg=each))
        tokens = rp.redeem(
            rp.authorize(scope="openid", **PLAIN).login("alice").consent().code, code_verifier=None
        )
        assert pyjwt.get_unverified_header(tokens.get_json()["id_token"])["alg"] == each


def test_encryption_algorithms(app: Any, op: Tenant) -> None:
    known = discovery(app, op)
    keys = {
        "jwks": {"keys": [{**public(EC, "e"), "use": "enc"}, {**public(RSA, "r", "RS256"), "use": "enc"}]}
    }
    for each in keys["jwks"]["keys"]:
        each.pop("alg", None)
    for what in SIGNED:
        algs = known[f"{what}_encryption_alg_values_supported"]
        encs = known[f"{what}_encryption_enc_values_supported"]
        names = f"{what}_encrypted_response_alg", f"{what}_encrypted_response_enc"
        for alg in [*algs, "dir", "RSA1_5", "A128KW", "PBES2-HS256+A128KW"]:
            assert accepted(app, op, **{names[0]: alg}, **keys) is (alg in algs), (what, alg)
        for enc in [*encs, "A192GCM", "none"]:
            fields = {names[0]: algs[0], names[1]: enc}
            assert accepted(app, op, **fields, **keys) is (enc in encs), (what, enc)
    algs = known["request_object_encryption_alg_values_supported"]
    for alg in [*algs, "RSA1_5", "dir"]:
        assert accepted(app, op, request_object_encryption_alg=alg) is (alg in algs), alg
    assert "request_object_encryption_alg_values_supported" not in discovery(
        app, policy(op, encryption_keys=False)
    )


def test_request_objects_and_subject_types(app: Any, op: Tenant) -> None:
    known = discovery(app, op)
    told = known["request_object_signing_alg_values_supported"]
    for each in [*told, "none", "HS256", "ES512"]:
        assert accepted(app, op, request_object_signing_alg=each) is (each in told), each
    for each in [*known["subject_types_supported"], "ephemeral"]:
        assert accepted(app, op, subject_type=each) is (each in known["subject_types_supported"]), each
    rp = whole(app, op)
    asked = {"request_uri": "https://app.example.com/not-registered", **PLAIN}
    assert known["request_uri_parameter_supported"] is known["require_request_uri_registration"] is True
    assert returned(rp.authorize(**asked))["error"] == "invalid_request_uri"
    off = policy(op, request_uri_parameter=False)
    assert discovery(app, off)["request_uri_parameter_supported"] is False
    assert returned(rp.authorize(**asked))["error"] == "request_uri_not_supported"


@pytest.mark.parametrize("anybody", [True, False])
def test_prompt_values_supported(app: Any, op: Tenant, anybody: bool) -> None:
    op = policy(op, registration="open" if anybody else "closed")
    rp = whole(app, op)
    told = discovery(app, op)["prompt_values_supported"]
    assert ("create" in told) is anybody
    for each in {*told, "create", "signup", "login none"}:
        visit = rp.authorize(prompt=each, **PLAIN)
        if each in told and each != "none":
            assert visit.answer.status_code == 200 and not visit.location, each
        else:
            assert returned(visit)["error"] == ("login_required" if each == "none" else "invalid_request"), (
                each
            )


def test_code_challenge_methods_supported(app: Any, op: Tenant) -> None:
    rp = whole(app, op)
    assert discovery(app, op)["code_challenge_methods_supported"] == ["S256"]
    assert rp.authorize().answer.status_code == 200
    for each in ("plain", "S512", ""):
        assert returned(rp.authorize(code_challenge_method=each))["error"] == "invalid_request"


def test_acr_values_supported(app: Any, op: Tenant) -> None:
    rp = whole(app, op)
    assert discovery(app, op)["acr_values_supported"] == ["1", "2"]
    one = policy(op, second_factor="off", passkeys=False)
    told = discovery(app, one)["acr_values_supported"]
    assert told == ["1"]
    tokens = rp.exchange(rp.authorize(acr_values="2 1").login("alice").code)
    assert rp.verified(tokens["id_token"], "whole")["acr"] in told
    wish = '{"id_token":{"acr":{"essential":true,"values":["2"]}}}'
    assert returned(rp.authorize(claims=wish))["error"] == "unmet_authentication_requirements"


def test_scopes_and_claims_supported(app: Any, op: Tenant) -> None:
    with entered(op):
        users.update("alice", {
            "name": "A", "given_name": "A", "family_name": "B", "middle_name": "Q", "nickname": "a", "gender": "f",
            "profile": "https://a.example/", "picture": "https://a.example/p", "website": "https://a.example/w",
            "birthdate": "1980-01-31", "zoneinfo": "Europe/Berlin", "locale": "en-GB", "address": {"country": "DE"},
            "phone_number": "+49 30 123456", "phone_number_verified": True,
        })  # fmt: skip
        groups.add(groups.create("staff"), users.show("alice"))
    rp = whole(app, op)
    known = discovery(app, op)
    ours = [each for each in known["scopes_supported"] if "." not in each]
    granted = rp.sign_in(scope=" ".join([*ours, "made_up"]))
    assert set(granted["scope"].split()) == set(ours)
    for each in set(known["scopes_supported"]) - set(ours):  # of an API, which this client has no grant for
        assert returned(rp.authorize(scope=f"openid {each}"))["error"] == "invalid_scope"
    person = rp.userinfo(granted["access_token"]).get_json()
    missing = set(known["claims_supported"]) - set(person)
    assert missing <= {"roles"} and set(person) <= set(known["claims_supported"])
    assert known["claims_parameter_supported"] is True
    wish = json.dumps({"userinfo": dict.fromkeys([*known["claims_supported"], "made_up", "password"])})
    tokens = rp.sign_in(scope="openid", claims=wish)
    assert set(rp.userinfo(tokens["access_token"]).get_json()) == set(person)


def test_sessions_and_sign_outs(app: Any, op: Tenant) -> None:
    assert "check_session_iframe" not in discovery(app, op)
    assert "check_session_iframe" in discovery(app, policy(op, session_management=True))
    assert "registration_endpoint" not in discovery(app, policy(op, client_registration="closed"))
    told = discovery(app, op)
    assert told["backchannel_user_code_parameter_supported"] is True  # tests/spec/ciba/test_user_code.py
    assert told["claim_types_supported"] == ["normal"]
