"""RFC 9728: metadata of the resource that the issuer itself is, and where a refusal says it lies."""

import re
from typing import Any

import pytest

from idp.tenants import Tenant
from tests.playing import relying_party

PATHS = ("/t/acme/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/t/acme")


@pytest.mark.parametrize("path", PATHS)
def test_3_both_spellings_are_one_document(app: Any, acme: Tenant, path: str) -> None:
    answer = app.test_client().get(path)
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    document = answer.get_json()
    assert document["resource"] == acme.issuer and document["authorization_servers"] == [acme.issuer]
    assert "openid" in document["scopes_supported"]
    assert document["bearer_methods_supported"] == ["header", "body"]
    assert "RS256" in document["resource_signing_alg_values_supported"]


def test_3_3_the_resource_is_the_one_that_was_asked(app: Any, acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        path = f"/.well-known/oauth-protected-resource/t/{tenant.slug}"
        assert app.test_client().get(path).get_json()["resource"] == tenant.issuer
    assert app.test_client().get("/.well-known/oauth-protected-resource/t/nobody").status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
def test_5_1_a_refusal_names_the_metadata(app: Any, acme: Tenant, headers: dict[str, str]) -> None:
    answer = app.test_client().get("/t/acme/userinfo", headers=headers)
    found = re.search(r'resource_metadata="([^"]+)"', answer.headers["WWW-Authenticate"])
    assert answer.status_code == 401 and found
    document = app.test_client().get(found[1].removeprefix("http://localhost")).get_json()
    assert document["resource"] == acme.issuer


def test_the_resource_that_it_names_is_one_that_tokens_can_be_had_for(app: Any, acme: Tenant) -> None:
    document = app.test_client().get(PATHS[0]).get_json()
    rp = relying_party(app, acme)
    tokens = rp.sign_in(resource=document["resource"])
    assert rp.userinfo(tokens["access_token"]).status_code == 200
