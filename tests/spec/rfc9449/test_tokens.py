"""DPoP at the token endpoint, at /authorize and at PAR (RFC 9449 §5, §6, §8, §10): what binds a token to a key."""

import time
from typing import Any
from urllib.parse import urlencode

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from idp.tenants import Tenant
from tests.attacks.acting import THREADS, at_once, change, client, party, policy, refused
from tests.attacks.assertions import EC, TYPE, assertion, present, public
from tests.playing import Visit, relying_party
from tests.spec.rfc9449.proving import Key, Prover

RSA = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def web(app: Any, acme: Tenant) -> Prover:
    return Prover(relying_party(app, acme))


@pytest.fixture
def spa(app: Any, acme: Tenant) -> Prover:
    """A public client."""
    return Prover(relying_party(app, acme, "spa"))


def own(prover: Prover, proof: str | None = None) -> Any:
    """Ask for a token in the client's own name with a proof."""
    form = {"grant_type": "client_credentials"}
    return prover.rp.post("token", form, headers=prover.headers(proof=proof))


@pytest.fixture
def nightly(app: Any, acme: Tenant) -> Prover:
    """A service."""
    return Prover(relying_party(app, acme, "nightly"))


@pytest.mark.parametrize(
    "key",
    [Key(), Key(RSA, "PS256"), Key(ed25519.Ed25519PrivateKey.generate(), "EdDSA")],
    ids=lambda key: key.alg,
)
def test_5_and_6_tokens_are_bound_to_the_key_and_say_so(spa: Prover, key: Key) -> None:
    prover = Prover(spa.rp, key)
    tokens = prover.sign_in()
    assert tokens["token_type"] == "DPoP"
    claims = spa.rp.verified(tokens["access_token"], spa.rp.tenant.issuer)
    assert claims["cnf"] == {"jkt": key.thumbprint}
    assert prover.userinfo(tokens["access_token"]).get_json()["sub"] == claims["sub"]
    assert "cnf" not in spa.rp.verified(tokens["id_token"], "spa")


def test_6_2_introspection_tells_what_it_is_bound_to(web: Prover) -> None:
    tokens = web.sign_in()
    told = web.rp.introspect(tokens["access_token"])
    assert told["token_type"] == "DPoP" and told["cnf"] == {"jkt": web.key.thumbprint}
    assert web.rp.introspect(tokens["refresh_token"])["cnf"] == {"jkt": web.key.thumbprint}
    plain = web.rp.sign_in()
    told = web.rp.introspect(plain["access_token"])
    assert told["token_type"] == plain["token_type"] == "Bearer" and "cnf" not in told


def test_5_a_client_in_its_own_name_is_bound_as_well(nightly: Prover) -> None:
    body = own(nightly).get_json()
    assert body["token_type"] == "DPoP"
    claims = nightly.rp.verified(body["access_token"], "https://api.example.com")
    assert claims["cnf"] == {"jkt": nightly.key.thumbprint}


def test_5_2_dp09_who_registered_for_bound_tokens_gets_no_others(app: Any, acme: Tenant, web: Prover) -> None:
    change(acme, "web", dpop_bound_access_tokens=True)
    code = web.rp.authorize().login("alice").code
    refused(web.rp.redeem(code), "invalid_request")
    tokens = web.redeem(code).get_json()  # nothing was used up
    assert tokens["token_type"] == "DPoP"
    refused(web.rp.refresh(tokens["refresh_token"]), "invalid_request")
    assert web.refresh(tokens["refresh_token"]).get_json()["token_type"] == "DPoP"


@pytest.mark.parametrize("types", [["id_token token"], ["code token"], ["code", "code id_token token"]])
def test_5_2_such_a_client_has_no_token_in_the_browser(acme: Tenant, types: list[str]) -> None:
    open_ = policy(acme, implicit_flow=True, hybrid_flow=True)
    grants = ["implicit", *(["authorization_code"] if any("code" in each for each in types) else [])]
    with pytest.raises(Exception, match="dpop_bound_access_tokens"):
        client(open_, "mixed", dpop_bound_access_tokens=True, response_types=types, grant_types=grants)


def test_rt03_dp09_a_public_client_refreshes_with_its_key_and_no_other(spa: Prover) -> None:
    tokens = spa.sign_in()
    for thief in (Key(), None):
        sent = {} if thief is None else {"DPoP": thief.proof(spa.at("token"))}
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        refused(spa.rp.post("token", form, headers=sent), "invalid_grant")
    following = spa.refresh(tokens["refresh_token"]).get_json()
    assert following["token_type"] == "DPoP" and following["refresh_token"] != tokens["refresh_token"]
    again = spa.refresh(tokens["refresh_token"]).get_json()  # within the grace, with the same key
    assert again["refresh_token"] == following["refresh_token"]


def test_5_a_client_that_authenticates_may_come_with_a_new_key_and_not_without(web: Prover) -> None:
    tokens = web.sign_in()
    refused(web.rp.refresh(tokens["refresh_token"]), "invalid_grant")
    moved = Prover(web.rp, Key())
    following = moved.refresh(tokens["refresh_token"]).get_json()
    claims = web.rp.verified(following["access_token"], web.rp.tenant.issuer)
    assert claims["cnf"] == {"jkt": moved.key.thumbprint}


def test_dp07_dpop_jkt_at_authorize_binds_the_code(spa: Prover) -> None:
    def code() -> str:
        return spa.rp.authorize(dpop_jkt=spa.key.thumbprint).login("alice").code

    assert spa.redeem(code()).status_code == 200
    refused(Prover(spa.rp, Key()).redeem(code()), "invalid_grant")
    burned = code()
    refused(spa.rp.redeem(burned), "invalid_grant")
    refused(spa.redeem(burned), "invalid_grant")


@pytest.mark.parametrize("wrong", ["", "short", "a" * 42, "a" * 44, "=" * 43, "a" * 42 + "/"])
def test_10_dpop_jkt_is_a_thumbprint(spa: Prover, wrong: str) -> None:
    if wrong:
        assert spa.rp.authorize(dpop_jkt=wrong).params["error"] == "invalid_request"
        refused(spa.rp.post("par", spa.rp.request(dpop_jkt=wrong)), "invalid_request")


def pushed(prover: Prover, proof: str | None = None, **changes: str) -> Any:
    return prover.rp.post("par", prover.rp.request(**changes), headers=prover.headers("par", proof))


def brought(prover: Prover, answer: Any) -> str:
    """The code of a pushed request."""
    assert answer.status_code == 201, answer.get_data(as_text=True)
    rp = prover.rp
    query = urlencode({"client_id": rp.client_id, "request_uri": answer.get_json()["request_uri"]})
    browser = rp.browser()
    visit = Visit(rp, browser, browser.get(f"/t/{rp.tenant.slug}/authorize?{query}")).follow()
    return visit.login("alice").code


def test_dp07_10_1_a_proof_at_par_binds_the_code(spa: Prover) -> None:
    assert spa.redeem(brought(spa, pushed(spa))).get_json()["token_type"] == "DPoP"
    refused(Prover(spa.rp, Key()).redeem(brought(spa, pushed(spa))), "invalid_grant")
    refused(spa.rp.redeem(brought(spa, pushed(spa))), "invalid_grant")


def test_dp07_10_1_proof_and_dpop_jkt_name_one_key(spa: Prover) -> None:
    both = pushed(spa, dpop_jkt=spa.key.thumbprint)
    assert spa.redeem(brought(spa, both)).status_code == 200
    refused(pushed(spa, dpop_jkt=Key().thumbprint), "invalid_dpop_proof")
    only = spa.rp.post("par", spa.rp.request(dpop_jkt=spa.key.thumbprint))
    assert spa.redeem(brought(spa, only)).status_code == 200


def test_10_dpop_jkt_of_a_signed_request_counts_and_none_beside_it(app: Any, acme: Tenant) -> None:
    made = client(acme, "signer", jwks={"keys": [public(EC, "e")]}, secret="s" * 43)
    prover = Prover(party(app, acme, made, "s" * 43))
    now = int(time.time())
    claims = {
        **prover.rp.request(dpop_jkt=prover.key.thumbprint), "iss": "signer", "aud": acme.issuer, "exp": now + 60,
    }  # fmt: skip
    signed = pyjwt.encode(claims, EC, algorithm="ES256", headers={"kid": "e"})
    visit = prover.rp.authorize(request=signed, dpop_jkt=Key().thumbprint).login("alice")
    refused(Prover(prover.rp, Key()).redeem(visit.code), "invalid_grant")


def test_a_bad_proof_at_par_keeps_nothing(spa: Prover) -> None:
    refused(pushed(spa, spa.key.proof(spa.at("token"))), "invalid_dpop_proof")


def test_5_a_bad_proof_uses_nothing_up(spa: Prover) -> None:
    code = spa.rp.authorize().login("alice").code
    refused(spa.redeem(code, spa.key.proof(spa.at("userinfo"))), "invalid_dpop_proof")
    refused(spa.redeem(code, "not a proof"), "invalid_dpop_proof")
    tokens = spa.redeem(code).get_json()
    refused(spa.refresh(tokens["refresh_token"], spa.key.proof(spa.at("par"))), "invalid_dpop_proof")
    assert spa.refresh(tokens["refresh_token"]).status_code == 200


def test_rc06_dp01_of_many_requests_with_one_proof_one_is_answered(nightly: Prover) -> None:
    proof = nightly.key.proof(nightly.at("token"))
    answers = at_once(THREADS, lambda _: own(nightly, proof))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * (THREADS - 1)
    assert {answer.get_json()["error"] for answer in answers if answer.status_code == 400} == {
        "invalid_dpop_proof"
    }


def test_a_proof_with_a_good_assertion_both_count_once(app: Any, acme: Tenant) -> None:
    client(
        acme, "signer", token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public(EC, "e")]},
        grant_types=["client_credentials"], redirect_uris=None, scope="own.things",
    )  # fmt: skip
    key, at = Key(), f"{acme.issuer}/token"
    sent = {"DPoP": key.proof(at)}
    form = {"grant_type": "client_credentials"}

    def ask(jwt: str, headers: dict[str, str]) -> Any:
        data = {**form, "client_assertion_type": TYPE, "client_assertion": jwt}
        return app.test_client().post("/t/acme/token", data=data, headers=headers)

    once = assertion(acme)
    assert ask(once, sent).get_json()["token_type"] == "DPoP"
    refused(ask(assertion(acme), sent), "invalid_dpop_proof")
    refused(ask(once, {"DPoP": key.proof(at)}), "invalid_client", 401)
    assert present(app, acme, assertion(acme), token=None).status_code == 200


def test_8_a_tenant_that_wants_nonces_hands_them_out(app: Any, acme: Tenant, frozen: Any) -> None:
    spa = Prover(relying_party(app, policy(acme, require_dpop_nonce=True), "spa"))
    with frozen() as clock:
        code = spa.rp.authorize().login("alice").code
        told = spa.redeem(code)
        refused(told, "use_dpop_nonce")
        nonce = told.headers["DPoP-Nonce"]

        def with_nonce(value: Any) -> str:
            return spa.key.proof(spa.at("token"), nonce=value)

        for wrong in ("x", nonce[:-1], nonce + "x", 7, None, ["x"], "\u00e4" * 24, "x" * 5_000):
            refused(spa.redeem(code, with_nonce(wrong)), "use_dpop_nonce")
        answer = spa.redeem(code, with_nonce(nonce))
        assert answer.status_code == 200 and answer.headers["DPoP-Nonce"] == nonce
        tokens = answer.get_json()
        clock.tick(120)  # the next period: both are taken
        refreshed = spa.refresh(tokens["refresh_token"], with_nonce(nonce))
        assert refreshed.status_code == 200 and refreshed.headers["DPoP-Nonce"] != nonce
        clock.tick(120)
        late = spa.refresh(refreshed.get_json()["refresh_token"], with_nonce(nonce))
        refused(late, "use_dpop_nonce")
        assert late.headers["DPoP-Nonce"] not in (nonce, refreshed.headers["DPoP-Nonce"])
        par = pushed(spa)
        refused(par, "use_dpop_nonce")
        proof = spa.key.proof(spa.at("par"), nonce=par.headers["DPoP-Nonce"])
        assert pushed(spa, proof).headers["DPoP-Nonce"] == par.headers["DPoP-Nonce"]


def test_8_a_nonce_is_its_tenants_own_and_a_wrong_one_is_never_taken(
    app: Any, acme: Tenant, globex: Tenant
) -> None:
    def nonce_of(tenant: Tenant) -> str:
        prover = Prover(relying_party(app, policy(tenant, require_dpop_nonce=True), "spa"))
        return str(pushed(prover).headers["DPoP-Nonce"])

    ours, theirs = nonce_of(acme), nonce_of(globex)
    assert ours != theirs
    spa = Prover(relying_party(app, policy(acme, require_dpop_nonce=False), "spa"))
    assert pushed(spa, spa.key.proof(spa.at("par"), nonce=ours)).status_code == 201
    told = pushed(spa, spa.key.proof(spa.at("par"), nonce=theirs))
    refused(told, "use_dpop_nonce")
    assert told.headers["DPoP-Nonce"] == ours
    assert "DPoP-Nonce" not in pushed(spa).headers


def test_rt09_a_bound_token_is_revoked_without_a_proof(web: Prover) -> None:
    tokens = web.sign_in()
    assert web.rp.post("revoke", {"token": tokens["refresh_token"]}).status_code == 200
    assert web.userinfo(tokens["access_token"]).status_code == 401


def test_the_browser_may_send_proofs_and_read_nonces(app: Any, acme: Tenant) -> None:
    origin = {"Origin": "http://localhost:8003"}
    preflight = app.test_client().options("/t/acme/token", headers=origin)
    assert "DPoP" in preflight.headers["Access-Control-Allow-Headers"]
    answer = app.test_client().post("/t/acme/token", data={"grant_type": "x"}, headers=origin)
    assert "DPoP-Nonce" in answer.headers["Access-Control-Expose-Headers"]


def test_an_unknown_relying_party_of_the_twin_gets_nothing_by_our_proof(
    app: Any, globex: Tenant, spa: Prover
) -> None:
    theirs = Prover(relying_party(app, globex, "spa"), spa.key)
    code = theirs.rp.authorize().login("alice").code
    refused(theirs.redeem(code, spa.key.proof(spa.at("token"))), "invalid_dpop_proof")
    assert theirs.redeem(code).status_code == 200
