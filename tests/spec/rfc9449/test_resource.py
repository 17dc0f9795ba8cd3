"""A bound token at a resource of the issuer's own, userinfo (RFC 9449 §7): worth nothing without its key."""

import re
from typing import Any

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import THREADS, at_once, client, party, policy
from tests.playing import relying_party
from tests.spec.rfc9449.proving import Key, Prover

INVALID = ("invalid_token", "invalid_dpop_proof", "use_dpop_nonce")


@pytest.fixture
def web(app: Any, acme: Tenant) -> Prover:
    return Prover(relying_party(app, acme))


@pytest.fixture
def token(web: Prover) -> str:
    return str(web.sign_in()["access_token"])


def turned_away(answer: Any, error: str, scheme: str = "DPoP") -> None:
    """401 with the challenge of a scheme and nothing of a person."""
    body = answer.get_json()
    assert answer.status_code == 401 and set(body) == {"error", "error_description"}, answer.get_data(
        as_text=True
    )
    challenge = answer.headers["WWW-Authenticate"]
    assert body["error"] == error and challenge.startswith(f"{scheme} ") and f'error="{error}"' in challenge
    assert ('algs="ES256 PS256 EdDSA"' in challenge) == (scheme == "DPoP")
    assert answer.headers["Cache-Control"] == "no-store"


def test_7_1_with_its_proof_however_scheme_and_header_are_written(web: Prover, token: str) -> None:
    for scheme in ("DPoP", "dpop", "dPOP", "DPOP"):
        for header in ("DPoP", "DPOP", "dpop"):
            assert web.userinfo(token, scheme=scheme, header=header).status_code == 200
    form = {"Authorization": f"DPoP {token}", "DPoP": web.key.proof(web.at("userinfo"), "POST", token=token)}
    assert web.rp.app.test_client().post("/t/acme/userinfo", headers=form).status_code == 200


def test_dp06_downgraded_to_bearer(web: Prover, token: str) -> None:
    turned_away(web.rp.userinfo(token), "invalid_token")
    turned_away(web.userinfo(token, scheme="Bearer"), "invalid_token")
    posted = web.rp.app.test_client().post("/t/acme/userinfo", data={"access_token": token})
    turned_away(posted, "invalid_token")
    proof = web.key.proof(web.at("userinfo"), "POST", token=token)
    posted = web.rp.app.test_client().post(
        "/t/acme/userinfo", data={"access_token": token}, headers={"DPoP": proof}
    )
    turned_away(posted, "invalid_token")


def test_dp06_a_bearer_token_does_not_pass_for_a_bound_one(web: Prover) -> None:
    turned_away(web.userinfo(web.rp.sign_in()["access_token"]), "invalid_token")


def test_7_1_a_bearer_token_stays_one_whatever_stands_beside_it(web: Prover) -> None:
    plain = web.rp.sign_in()["access_token"]
    assert web.userinfo(plain, scheme="Bearer").status_code == 200


def test_7_1_without_a_proof(web: Prover, token: str) -> None:
    answer = web.rp.app.test_client().get("/t/acme/userinfo", headers={"Authorization": f"DPoP {token}"})
    turned_away(answer, "invalid_dpop_proof")


def test_dp05_with_a_proof_by_another_key(web: Prover, token: str) -> None:
    thief = Prover(web.rp, Key())
    turned_away(thief.userinfo(token), "invalid_token")


@pytest.mark.parametrize(
    "changes",
    [
        {"ath": ...}, {"ath": "x"}, {"htm": "POST"}, {"htm": ...}, {"htu": "https://evil.example/userinfo"},
        {"htu": "http://localhost/t/globex/userinfo"}, {"htu": ...}, {"iat": 1}, {"iat": ...}, {"jti": ...},
        {"headers": {"typ": "JWT"}}, {"headers": {"typ": ...}}, {"headers": {"jwk": ...}},
    ],
)  # fmt: skip
def test_dp02_dp03_dp05_with_a_proof_of_something_else(
    web: Prover, token: str, changes: dict[str, Any]
) -> None:
    turned_away(web.userinfo(token, **changes), "invalid_dpop_proof")
    assert web.userinfo(token).status_code == 200


def test_4_3_two_headers_are_none(web: Prover, token: str) -> None:
    headers = [("Authorization", f"DPoP {token}")]
    headers += [("DPoP", web.key.proof(web.at("userinfo"), "GET", token=token)) for _ in range(2)]
    turned_away(web.rp.app.test_client().get("/t/acme/userinfo", headers=headers), "invalid_dpop_proof")


def test_dp02_behind_a_name_that_the_browser_chose(web: Prover, token: str) -> None:
    """The address is the issuer's, whatever a Host or a forwarded header says."""
    for spoofed in ({"X-Forwarded-Host": "evil.example"}, {"X-Forwarded-Proto": "https"}):
        headers = {
            "Authorization": f"DPoP {token}",
            "DPoP": web.key.proof("https://evil.example/t/acme/userinfo", "GET", token=token),
            **spoofed,
        }
        turned_away(web.rp.app.test_client().get("/t/acme/userinfo", headers=headers), "invalid_dpop_proof")


def test_dp01_the_same_proof_again(web: Prover, token: str) -> None:
    proof = web.key.proof(web.at("userinfo"), "GET", token=token)
    assert web.userinfo(token, proof).status_code == 200
    turned_away(web.userinfo(token, proof), "invalid_dpop_proof")
    assert web.userinfo(token).status_code == 200


def test_rc06_dp01_of_many_at_once_one(web: Prover, token: str) -> None:
    proof = web.key.proof(web.at("userinfo"), "GET", token=token)
    answers = at_once(THREADS, lambda _: web.userinfo(token, proof))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * (THREADS - 1)


def test_9_a_nonce_where_the_tenant_wants_one(app: Any, acme: Tenant) -> None:
    web = Prover(relying_party(app, acme))
    token = web.sign_in()["access_token"]
    policy(acme, require_dpop_nonce=True)
    told = web.userinfo(token)
    turned_away(told, "use_dpop_nonce")
    answer = web.userinfo(token, nonce=told.headers["DPoP-Nonce"])
    assert answer.status_code == 200 and answer.headers["DPoP-Nonce"] == told.headers["DPoP-Nonce"]


def test_dp05_tk23_a_bound_token_dies_like_every_other(web: Prover) -> None:
    tokens = web.sign_in()
    web.rp.post("revoke", {"token": tokens["refresh_token"]})
    turned_away(web.userinfo(tokens["access_token"]), "invalid_token")


def test_a_token_of_the_twin_with_a_proof_for_here(app: Any, globex: Tenant, web: Prover) -> None:
    theirs = Prover(relying_party(app, globex), web.key)
    token = theirs.sign_in()["access_token"]
    turned_away(web.userinfo(token), "invalid_token")


def test_7_1_who_brings_none_is_told_both_ways(web: Prover) -> None:
    answer = web.rp.app.test_client().get("/t/acme/userinfo")
    found = re.findall(r"(?:^|, )(Bearer|DPoP) ", answer.headers["WWW-Authenticate"])
    assert answer.status_code == 401 and found == ["Bearer", "DPoP"]
    assert "error=" not in answer.headers["WWW-Authenticate"]


def test_6750_3_1_a_scope_that_is_missing(app: Any, acme: Tenant) -> None:
    made = client(
        acme, "bare", token_endpoint_auth_method="none", scope="profile", redirect_uris=["https://a.test/cb"]
    )
    prover = Prover(party(app, acme, made))
    code = prover.rp.authorize().login("alice").code
    token = prover.redeem(code).get_json()["access_token"]
    answer = prover.userinfo(token)
    assert answer.status_code in (401, 403) and answer.headers["WWW-Authenticate"].startswith("DPoP ")


def test_5_1_it_is_advertised(app: Any, acme: Tenant) -> None:
    told = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert told["dpop_signing_alg_values_supported"] == ["ES256", "PS256", "EdDSA"]
    resource = app.test_client().get("/.well-known/oauth-protected-resource/t/acme").get_json()
    assert resource["dpop_signing_alg_values_supported"] == told["dpop_signing_alg_values_supported"]
