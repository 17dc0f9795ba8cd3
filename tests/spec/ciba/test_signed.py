"""Signed backchannel requests (CIBA Core 1.0 §7.1.1): all that counts is signed, for clients of fapi2 always."""

import time
from typing import Any

import jwt as pyjwt
import pytest

from idp import directory
from idp.control import apis
from idp.registration import CIBA
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, refused
from tests.attacks.assertions import EC, assertion, present, public
from tests.playing import RelyingParty
from tests.spec.ciba.asking import Asking

API = "https://api.example.com"


@pytest.fixture
def signer(acme: Tenant) -> Tenant:
    made = client(
        acme, "signer", grant_types=[CIBA], redirect_uris=[], scope="openid profile",
        token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public(EC, "e")]},
    )  # fmt: skip
    with entered(acme):
        apis.grant(apis.show(API), made, ("orders.read",))
    directory.forget_all()
    return acme


def signed(acme: Tenant, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "signer", "aud": acme.issuer, "iat": now, "nbf": now, "exp": now + 300, "jti": str(time.monotonic_ns()),
        "scope": "openid orders.read", "login_hint": "alice", **changes,
    }  # fmt: skip
    return pyjwt.encode(claims, EC, algorithm="ES256", headers={"kid": "e"})


def sent(app: Any, acme: Tenant, **form: str) -> Any:
    return present(app, acme, assertion(acme), "bc-authorize", **{"grant_type": None, "token": None, **form})


def test_7_1_1_a_resource_counts_where_it_is_signed_alone(app: Any, signer: Tenant) -> None:
    refused(sent(app, signer, request=signed(signer), resource=API), "invalid_request")
    for wrong in (7, [7], {"x": 1}, "a\x00b", ["https://unheard-of.example"], "https://unheard-of.example"):
        answer = sent(app, signer, request=signed(signer, resource=wrong))
        known = "invalid_target" if "unheard-of" in str(wrong) else "invalid_request_object"
        refused(answer, known)
    asking = Asking(RelyingParty(app, signer, "signer", None, "", "none"), sent(
        app, signer, request=signed(signer, resource=API, scope="openid profile orders.read")
    ).get_json())  # fmt: skip
    asking.answered()
    form = {"grant_type": CIBA, "auth_req_id": asking.handle, "token": None}
    body = present(app, signer, assertion(signer), "token", **form).get_json()
    claims = pyjwt.decode(body["access_token"], options={"verify_signature": False})
    assert API in claims["aud"] and "orders.read" in claims["scope"]


def test_details_that_are_no_array_are_not_left_out(app: Any, signer: Tenant) -> None:
    for wrong in ("[]", {"type": "payment"}, 7):
        refused(
            sent(app, signer, request=signed(signer, authorization_details=wrong)), "invalid_request_object"
        )
    unknown = [{"type": "payment"}]
    refused(
        sent(app, signer, request=signed(signer, authorization_details=unknown)),
        "invalid_authorization_details",
    )


def test_fapi_ciba_5_2_2_a_client_of_the_profile_signs_always(app: Any, signer: Tenant) -> None:
    assert sent(app, signer, scope="openid", login_hint="alice").status_code == 200
    change(signer, "signer", profile="fapi2")
    refused(sent(app, signer, scope="openid", login_hint="alice"), "invalid_request")
    assert sent(app, signer, request=signed(signer)).status_code == 200
