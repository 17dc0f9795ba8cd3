"""The certification plan's module on signed userinfo: a client registers itself for it and reads what it gets."""

from typing import Any

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import policy
from tests.spec.rfc7591.registering import party, registered


@pytest.fixture
def op(acme: Tenant) -> Tenant:
    return policy(acme, client_registration="open")


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_oidcc_userinfo_rs256_and_another(app: Any, op: Tenant, alg: str) -> None:
    told = registered(app, op, userinfo_signed_response_alg=alg)
    assert told["userinfo_signed_response_alg"] == alg
    rp = party(app, op, told)
    tokens = rp.exchange(rp.authorize(scope="openid").login("alice").consent().code)
    answer = rp.userinfo(tokens["access_token"])
    assert answer.status_code == 200 and answer.mimetype == "application/jwt"
    claims = rp.verified(answer.get_data(as_text=True), rp.client_id)
    assert claims["sub"] == rp.verified(tokens["id_token"], rp.client_id)["sub"]
