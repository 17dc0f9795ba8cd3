"""FAPI 2.0 with authorization_request_type=rar, and the same over the back channel: details pushed, signed, bound."""

import json
from typing import Any

import pytest

from idp import directory
from idp.control import apis
from idp.registration import CIBA
from idp.tenants import Tenant, entered
from tests.attacks.assertions import TYPE
from tests.spec.ciba.asking import Asking
from tests.spec.fapi2.driving import Fapi
from tests.spec.fapi2.test_security_profile import no
from tests.spec.rfc9396.test_details import API, PAYMENT, declare

SCOPE = "openid orders.read"


def opened(tenant: Tenant, client_id: str) -> None:
    """The client may have the API's scope."""
    with entered(tenant):
        made = directory.client(client_id)
        assert made is not None
        apis.grant(apis.show(API), made, ("orders.read",))
    directory.forget_all()


@pytest.fixture(params=[False, True], ids=["pushed", "pushed and signed"])
def first(request: pytest.FixtureRequest, app: Any, acme: Tenant) -> Fapi:
    declare(acme)
    one = Fapi(app, acme, "first", messages=request.param).registered(authorization_details_types=["payment"])
    opened(acme, "first")
    return one


def test_rar_the_whole_way(first: Fapi) -> None:
    details: Any = [PAYMENT] if first.messages else json.dumps([PAYMENT])
    visit = first.browse(first.name(scope=SCOPE, authorization_details=details)).login("alice")
    assert 'id="consent-form"' in visit.html and "Merchant A" in visit.html and "123.50" in visit.html
    body = first.redeem(visit.consent().code).get_json()
    assert body["authorization_details"] == [PAYMENT] and body["token_type"] == "DPoP"
    claims = first.rp.verified(body["access_token"], API)
    assert claims["authorization_details"] == [PAYMENT] and claims["cnf"] == {"jkt": first.holds.thumbprint}


def test_rar_what_does_not_fit_is_told_to_the_client(first: Fapi) -> None:
    wrong = [{**PAYMENT, "amount": {"value": "1e9", "currency": "EUR"}}]
    details: Any = wrong if first.messages else json.dumps(wrong)
    no(first.push(scope=SCOPE, authorization_details=details), "invalid_authorization_details")


def test_rar_over_the_back_channel(app: Any, acme: Tenant) -> None:
    declare(acme)
    one = Fapi(app, acme, "bank", messages=True).registered(
        grant_types=[CIBA], redirect_uris=None, require_signed_request_object=None,
        authorization_details_types=["payment"],
    )  # fmt: skip
    opened(acme, "bank")
    plain = (
        "client_id",
        "redirect_uri",
        "response_type",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    )
    request = one.signed(
        scope=SCOPE,
        login_hint="alice",
        jti="once",
        authorization_details=[PAYMENT],
        **dict.fromkeys(plain, ...),
    )
    sent = {"client_assertion_type": TYPE, "client_assertion": one.assertion(), "request": request}
    answer = app.test_client().post(f"/t/{acme.slug}/bc-authorize", data=sent)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    asking = Asking(one.rp, answer.get_json())
    page = asking.answered().html
    assert 'data-how="allowed"' in page
    form = {"grant_type": CIBA, "auth_req_id": asking.handle}
    no(one.post("token", form, proof=None), "invalid_request")
    body = one.post("token", form).get_json()
    assert body["authorization_details"] == [PAYMENT] and body["token_type"] == "DPoP"
