"""The certification plan Dynamic, as far as registration goes, module by module."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import jwt as pyjwt
import pytest

from idp.ids import secret
from idp.tenants import Tenant
from tests.attacks.acting import policy, refused
from tests.attacks.assertions import EC, RSA, TYPE, public
from tests.playing import Visit, inputs
from tests.spec.rfc7591.registering import CALLBACK, GOOD, ask, manage, party, registered


@pytest.fixture
def op(acme: Tenant) -> Tenant:
    return policy(
        acme, client_registration="open", implicit_flow=True, hybrid_flow=True, require_pkce="public",
        tenant_claims_in_id_token=False, request_uri_parameter=True,
        assertion_for_token_endpoint=True,
    )  # fmt: skip


def plain(rp: Any) -> dict[str, str | None]:
    """A request as the suite sends it: without PKCE."""
    return {"code_challenge": None, "code_challenge_method": None, "scope": "openid"}


def test_the_life_of_a_client_of_the_suite(app: Any, op: Tenant) -> None:
    told = registered(app, op, contacts=["certification@example.com"], grant_types=["authorization_code", "implicit"],
                      response_types=["code id_token"])  # fmt: skip
    rp = party(app, op, told)
    got = rp.authorize(response_type="code id_token", **plain(rp)).login("alice").consent().fragment
    assert rp.redeem(got["code"], code_verifier=None).status_code == 200
    assert manage(app, op, told, "DELETE").status_code == 204


def test_oidcc_idtoken_rs256(app: Any, op: Tenant) -> None:
    rp = party(app, op, registered(app, op, id_token_signed_response_alg="RS256"))
    code = rp.authorize(**plain(rp)).login("alice").consent().code
    tokens = rp.redeem(code, code_verifier=None).get_json()
    assert rp.verified(tokens["id_token"], rp.client_id)["nonce"] == rp.nonce
    assert pyjwt.get_unverified_header(tokens["id_token"])["alg"] == "RS256"


def test_oidcc_ensure_redirect_uri_in_authorization_request(app: Any, op: Tenant) -> None:
    rp = party(app, op, registered(app, op, redirect_uris=[CALLBACK, f"{CALLBACK}/two"]))
    visit = rp.authorize(redirect_uri=None, **plain(rp))
    assert visit.answer.status_code == 400 and not visit.location


def test_oidcc_redirect_uri_query_ok(app: Any, op: Tenant) -> None:
    rp = party(app, op, registered(app, op, redirect_uris=[f"{CALLBACK}?bar=foo"]))
    visit = rp.authorize(**plain(rp)).login("alice").consent()
    assert visit.params["bar"] == "foo" and visit.params["code"]


@pytest.mark.parametrize("known", [f"{CALLBACK}?foo=bar", CALLBACK])
def test_oidcc_redirect_uri_query_mismatch_and_added(app: Any, op: Tenant, known: str) -> None:
    rp = party(app, op, registered(app, op, redirect_uris=[known]))
    visit = rp.authorize(redirect_uri=f"{CALLBACK}?foo=baz", **plain(rp))
    assert visit.answer.status_code == 400 and not visit.location


def test_oidcc_redirect_uri_regfrag(app: Any, op: Tenant) -> None:
    refused(ask(app, op, "POST", None, {"redirect_uris": [f"{CALLBACK}#x"]}), "invalid_redirect_uri")


@pytest.mark.parametrize(("name", "mark"), [("logo_uri", "<img"), ("policy_uri", "<a"), ("tos_uri", "<a")])
def test_oidcc_registration_logo_policy_tos(app: Any, op: Tenant, name: str, mark: str) -> None:
    address = f"https://app.example.com/{name}"
    rp = party(app, op, registered(app, op, **{name: address}))
    page = rp.authorize(**plain(rp)).html
    assert address in page and mark in page


def test_discovery_of_a_tenant_that_is_ready(app: Any, op: Tenant) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert {"code", "id_token", "id_token token"} <= set(document["response_types_supported"])
    assert {"authorization_code", "implicit"} <= set(document["grant_types_supported"])
    assert document["registration_endpoint"] == f"{op.issuer}/register"


def test_oidcc_request_uri_signed_rs256(app: Any, op: Tenant, documents: Any) -> None:
    told_of_us = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert told_of_us["request_uri_parameter_supported"] is True
    assert "RS256" in told_of_us["request_object_signing_alg_values_supported"]
    with documents() as server:
        told = registered(
            app, op, request_uris=[f"{server.uri}#hash"], request_object_signing_alg="RS256",
            jwks={"keys": [public(RSA, "r", "RS256")]},
        )  # fmt: skip
        rp = party(app, op, told)
        asked = rp.request(**plain(rp))
        claims = {**asked, "iss": rp.client_id, "aud": op.issuer}
        server.text(pyjwt.encode(claims, RSA, "RS256", {"kid": "r"}), "application/jwt")
        beside = {name: asked[name] for name in ("client_id", "response_type", "scope", "redirect_uri")}
        browser = rp.browser()
        address = urlencode({**beside, "request_uri": f"{server.uri}#hash"})
        visit = Visit(rp, browser, browser.get(f"/t/acme/authorize?{address}")).follow()
        code = visit.login("alice").consent().code
    assert rp.verified(rp.redeem(code, code_verifier=None).get_json()["id_token"], rp.client_id)


def test_oidcc_registration_sector_uri_and_sector_bad(app: Any, op: Tenant, documents: Any) -> None:
    told_of_us = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert "pairwise" in told_of_us["subject_types_supported"]
    with documents() as server:
        server.json([CALLBACK])
        wanted = {"subject_type": "pairwise", "sector_identifier_uri": server.uri}
        rp = party(app, op, registered(app, op, **wanted))
        code = rp.authorize(**plain(rp)).login("alice").consent().code
        assert rp.redeem(code, code_verifier=None).get_json()["id_token"]
        server.json([f"{CALLBACK}/another"])
        refused(
            ask(app, op, "POST", None, {**GOOD, **wanted, "redirect_uris": [CALLBACK, f"{CALLBACK}/two"]}),
            "invalid_client_metadata",
        )


@pytest.mark.parametrize("audience", ["", "/token"])
def test_oidcc_registration_jwks_uri_and_ensure_client_assertion_with_iss_aud(
    app: Any, op: Tenant, documents: Any, audience: str
) -> None:
    with documents() as server:
        server.keys(public(RSA, "r", "RS256"))
        told = registered(app, op, jwks_uri=server.uri, token_endpoint_auth_method="private_key_jwt")
        rp = party(app, op, told)
        code = rp.authorize(**plain(rp)).login("alice").consent().code
        assert keyed(rp, RSA, "r", audience, code=code, grant_type="authorization_code").status_code == 200


def test_oidcc_refresh_token_rp_key_rotation(
    app: Any, op: Tenant, documents: Any, later: Callable[[float], None]
) -> None:
    with documents() as server:
        server.keys(public(RSA, "r", "RS256"))
        told = registered(
            app, op, jwks_uri=server.uri, token_endpoint_auth_method="private_key_jwt",
            grant_types=["authorization_code", "refresh_token"],
        )  # fmt: skip
        rp = party(app, op, told)
        asked = {**plain(rp), "scope": "openid offline_access", "prompt": "consent"}
        code = rp.authorize(**asked).login("alice").consent().code
        got = keyed(rp, RSA, "r", "/token", code=code, grant_type="authorization_code").get_json()
        server.keys(public(EC, "new"))
        later(60.5)  # the suite waits a minute
        again = {"grant_type": "refresh_token", "refresh_token": got["refresh_token"]}
        assert keyed(rp, EC, "new", "/token", "ES256", **again).status_code == 200


def keyed(rp: Any, key: Any, kid: str, audience: str, alg: str = "RS256", **form: str) -> Any:
    """The token endpoint's answer to a client that signs in with its key, addressed as the suite does."""
    now = int(time.time())
    claims = {
        "iss": rp.client_id, "sub": rp.client_id, "aud": f"{rp.tenant.issuer}{audience}", "jti": secret(),
        "iat": now, "exp": now + 60,
    }  # fmt: skip
    signed = pyjwt.encode(claims, key, alg, {"kid": kid})
    sent = {
        "client_assertion_type": TYPE,
        "client_assertion": signed,
        "redirect_uri": rp.redirect_uri,
        **form,
    }
    return rp.app.test_client().post(f"/t/{rp.tenant.slug}/token", data=sent)


def test_oidcc_idtoken_unsigned(app: Any, op: Tenant) -> None:
    told = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert "none" not in told["id_token_signing_alg_values_supported"]
    refused(
        ask(app, op, "POST", None, {**GOOD, "id_token_signed_response_alg": "none"}),
        "invalid_client_metadata",
    )


def test_oidcc_request_uri_unsigned(app: Any, op: Tenant, documents: Any) -> None:
    told_of_us = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert "none" not in told_of_us["request_object_signing_alg_values_supported"]
    with documents() as server:
        rp = party(app, op, registered(app, op, request_uris=[f"{server.uri}#hash"]))
        asked = rp.request(**plain(rp))
        server.text(
            pyjwt.encode({**asked, "iss": rp.client_id, "aud": op.issuer}, None, "none"), "application/jwt"
        )
        got = rp.authorize(request_uri=f"{server.uri}#hash", **plain(rp)).params
    assert got["error"] == "invalid_request_object" and server.asked == 1


def test_oidcc_server_rotate_keys(app: Any, op: Tenant, rotate: Callable[[str], None]) -> None:
    def kids() -> dict[str, str]:
        keys = app.test_client().get("/t/acme/jwks.json").get_json()["keys"]
        return {key["kid"]: key["kty"] for key in keys if key.get("use", "sig") == "sig"}

    before = kids()
    rotate("acme")
    after = kids()
    fresh = set(after) - set(before)
    assert fresh and {after[kid] for kid in fresh} <= {"RSA", "EC"} and set(before) <= set(after)


@pytest.mark.parametrize(
    ("response_type", "grants"),
    [
        ("code", ["authorization_code"]),
        ("id_token", ["implicit"]),
        ("code id_token token", ["authorization_code", "implicit"]),
    ],
)
@pytest.mark.parametrize("mode", ["", "form_post"])
def test_oidcc_prompt_none_logged_in_and_id_token_hint_of_a_dynamic_client(
    app: Any, certification: Tenant, response_type: str, grants: list[str], mode: str
) -> None:
    """The plans with dynamic_client: consent is remembered where the policy of the ready tenant says so."""
    told = registered(app, certification, response_types=[response_type], grant_types=grants)
    rp = party(app, certification, told)
    asked = {**plain(rp), "response_type": response_type, **({"response_mode": mode} if mode else {})}

    def got(visit: Any) -> dict[str, str]:
        if mode:
            return inputs(visit.html)
        return visit.params if response_type == "code" else visit.fragment

    browser = rp.browser()
    visit = rp.authorize(browser, **asked).login("foo", "bar-bar-bar-bar-bar")
    assert 'id="consent"' in visit.html
    first = got(visit.consent())
    second = got(rp.authorize(browser, **asked, prompt="none"))
    assert "error" not in second and set(first) == set(second)
    if "id_token" in first:
        third = got(rp.authorize(browser, **asked, prompt="none", id_token_hint=first["id_token"]))
        assert (
            rp.verified(third["id_token"], rp.client_id)["sub"]
            == rp.verified(first["id_token"], rp.client_id)["sub"]
        )
