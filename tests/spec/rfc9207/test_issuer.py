"""RFC 9207: the issuer in every authorization response."""

from typing import Any

import pytest

from idp.tenants import Tenant
from tests.playing import inputs, relying_party


@pytest.mark.parametrize(
    "changes",
    [{"prompt": "none"}, {"response_type": "x"}, {"scope": "x"}, {"response_mode": "x"}, {"claims": "x"}],
)
def test_2_errors_name_the_issuer(app: Any, acme: Tenant, globex: Tenant, changes: dict[str, str]) -> None:
    for tenant in (acme, globex):
        assert relying_party(app, tenant).authorize(**changes).params["iss"] == tenant.issuer


@pytest.mark.parametrize("mode", ["query", "form_post", None])
def test_2_success_names_the_issuer(app: Any, acme: Tenant, mode: str | None) -> None:
    visit = relying_party(app, acme).authorize(response_mode=mode).login("alice")
    params = inputs(visit.html) if mode == "form_post" else visit.params
    assert params["iss"] == acme.issuer and params["code"]


def test_3_it_is_advertised(app: Any, acme: Tenant) -> None:
    assert (
        app.test_client()
        .get("/t/acme/.well-known/openid-configuration")
        .get_json()["authorization_response_iss_parameter_supported"]
    )
