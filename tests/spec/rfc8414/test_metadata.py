"""RFC 8414: authorization server metadata, judged by Authlib's own validators."""

import json
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from idp.tenants import Tenant

PATHS = (
    "/t/acme/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/t/acme",
    "/t/acme/.well-known/openid-configuration",
)


@pytest.mark.parametrize("path", PATHS)
def test_3_both_spellings_are_one_document(app: Any, acme: Tenant, path: str) -> None:
    answer = app.test_client().get(path)
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    assert answer.get_json() == app.test_client().get(PATHS[0]).get_json()


def test_2_an_independent_validator_accepts_it_over_https(app: Any, acme: Tenant) -> None:
    text = (
        app.test_client()
        .get(PATHS[0])
        .get_data(as_text=True)
        .replace("http://localhost", "https://idp.example")
    )
    AuthorizationServerMetadata(json.loads(text)).validate()


def test_3_3_the_issuer_is_the_one_that_was_asked(app: Any, acme: Tenant, globex: Tenant) -> None:
    for slug, tenant in (("acme", acme), ("globex", globex)):
        document = app.test_client().get(f"/.well-known/oauth-authorization-server/t/{slug}").get_json()
        assert document["issuer"] == tenant.issuer
        assert all(
            value.startswith(tenant.issuer + "/")
            for name, value in document.items()
            if name.endswith(("_endpoint", "_uri"))
        )
