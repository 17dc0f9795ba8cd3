"""FAPI 2.0 Message Signing, final: the suite's modules of signed requests (JAR at PAR) and signed answers (JARM)."""

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from idp.tenants import Tenant
from tests.spec.fapi2.driving import Fapi
from tests.spec.fapi2.test_security_profile import no
from tests.spec.jarm.test_jarm import told
from tests.spec.rfc9449.proving import Key, b64

RSA = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def first(app: Any, acme: Tenant) -> Fapi:
    return Fapi(app, acme, "first", messages=True).registered(dpop_bound_access_tokens=True)


def now() -> int:
    return int(time.time())


def pushed(one: Fapi, request: str) -> Any:
    return one.post("par", {"request": request})


@pytest.mark.parametrize("typ", ["oauth-authz-req+jwt", None, "JWT"])
def test_happy_flow_with_signed_request_and_answer(first: Fapi, typ: str | None) -> None:
    answer = pushed(first, first.signed(headers={"typ": typ}, response_mode="jwt"))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    got = told(first.browse(answer.get_json()["request_uri"]).login("alice"), alg="ES256")
    assert got["state"] == first.rp.state
    assert first.redeem(got["code"]).get_json()["token_type"] == "DPoP"


def test_jarm_of_who_rejects(first: Fapi) -> None:
    name = pushed(first, first.signed(response_mode="jwt")).get_json()["request_uri"]
    assert told(first.browse(name).submit(action="cancel"), alg="ES256")["error"] == "access_denied"


def test_ensure_request_object_with_multiple_aud_succeeds(first: Fapi) -> None:
    several = [first.tenant.issuer, "https://other.example"]
    assert pushed(first, first.signed(aud=several)).status_code == 201


@pytest.mark.parametrize("nbf", [8, -3_500])
def test_ensure_request_object_with_nbf_8_seconds_in_the_future_is_accepted(first: Fapi, nbf: int) -> None:
    assert pushed(first, first.signed(nbf=now() + nbf)).status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ...}, {"nbf": ...}, {"exp": -60}, {"aud": "https://other.example"}, {"aud": ...}, {"exp": 70 * 60},
        {"nbf": -70 * 60}, {"nbf": 60}, {"iss": "second"}, {"client_id": "second"},
    ],
    ids=str,
)  # fmt: skip
def test_request_objects_that_fail(first: Fapi, changes: dict[str, Any]) -> None:
    """…-without-exp, -without-nbf, expired, -with-bad-aud, -with-exp-over-60, -with-nbf-over-60."""
    given = {name: now() + value if isinstance(value, int) else value for name, value in changes.items()}
    no(pushed(first, first.signed(**given)), "invalid_request_object")


def test_ensure_signed_request_object_with_rs256_fails(app: Any, acme: Tenant) -> None:
    one = Fapi(app, acme, "rsa", messages=True, signs=Key(RSA, "PS256")).registered()
    no(pushed(one, one.signed(key=Key(RSA, "RS256"))), "invalid_request_object")
    assert pushed(one, one.signed()).status_code == 201


def test_ensure_request_object_signature_algorithm_is_not_none(first: Fapi) -> None:
    head, body, signature = first.signed().split(".")
    none = b64(json.dumps({"alg": "none", "kid": "k"}).encode())
    for text in (f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{body}."):
        no(pushed(first, text), "invalid_request_object")


def test_ensure_request_object_with_invalid_signature_fails_and_matching_key(
    app: Any, acme: Tenant, first: Fapi
) -> None:
    other = Fapi(app, acme, "other", messages=True).registered()
    no(pushed(first, first.signed(key=other.signs)), "invalid_request_object")
    no(pushed(first, first.signed()[:-4] + "AAAA"), "invalid_request_object")


def test_ensure_unsigned_request_at_par_endpoint_fails(first: Fapi) -> None:
    no(first.post("par", first.request()), "invalid_request")


def test_par_authorization_request_containing_request_uri_in_the_object(first: Fapi) -> None:
    name = pushed(first, first.signed()).get_json()["request_uri"]
    no(pushed(first, first.signed(request_uri=name)), "invalid_request")
    no(pushed(first, first.signed(request=first.signed())), "invalid_request")


def test_ensure_request_object_without_redirect_uri_fails(first: Fapi) -> None:
    no(pushed(first, first.signed(redirect_uri=...)), "invalid_request")


def test_ensure_different_nonce_and_state_outside_the_request_object_are_ignored(first: Fapi) -> None:
    answer = first.post("par", {"request": first.signed(), "state": "outer", "nonce": "outer"})
    visit = first.browse(answer.get_json()["request_uri"], state="beside").login("alice")
    assert visit.params["state"] == first.rp.state
    claims = first.rp.verified(first.redeem(visit.code).get_json()["id_token"], "first")
    assert claims["nonce"] == first.rp.nonce
    bare = first.post("par", {"request": first.signed(state=...), "state": "outer"}).get_json()["request_uri"]
    assert "state" not in first.browse(bare).login("alice").params
