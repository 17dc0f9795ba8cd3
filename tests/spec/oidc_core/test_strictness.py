"""OpenID Connect Core 1.0: what is read without case, and what is not read at all."""

from typing import Any

import pytest

from idp.tenants import Tenant
from tests.playing import RelyingParty, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


@pytest.mark.parametrize(
    "kind", ["Application/X-WWW-Form-URLEncoded", "application/x-www-form-urlencoded ; charset=UTF-8"]
)
def test_5_3_1_the_media_type_of_a_form_has_no_case(rp: RelyingParty, kind: str) -> None:
    token = rp.sign_in()["access_token"]
    answer = rp.app.test_client().post(
        f"/t/{rp.tenant.slug}/userinfo", data=f"access_token={token}", content_type=kind
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    longer = rp.app.test_client().post(
        f"/t/{rp.tenant.slug}/userinfo",
        data=f"access_token={token}",
        content_type="application/x-www-form-urlencoded2",
    )
    assert longer.status_code == 401


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "1" * 21])
def test_5_5_claims_hold_no_number_that_json_does_not_know(rp: RelyingParty, number: str) -> None:
    asked = '{"userinfo": {"name": {"value": %s}}}'
    assert rp.authorize(claims=asked % number).params["error"] == "invalid_request"
    assert "error" not in rp.authorize(claims=asked % "1.5").location
