"""Verbs of an application that registers itself."""

import json
from typing import Any

from idp.control import registrations
from idp.tenants import Tenant, entered
from tests.playing import RelyingParty

CALLBACK = "https://app.example.com/cb"
GOOD = {"redirect_uris": [CALLBACK], "client_name": "My Example"}


def initial(tenant: Tenant, uses: int | None = None, lifetime: int = 3600) -> str:
    """An initial access token."""
    with entered(tenant):
        return registrations.issue("for a test", uses, lifetime)[1]


def ask(app: Any, tenant: Tenant, method: str, token: str | None, body: Any = None, **query: str) -> Any:
    """One request to the registration endpoint."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body)
    return app.test_client().open(
        f"/t/{tenant.slug}/register", method=method, headers=headers, data=data, query_string=query,
        content_type=None if body is None else "application/json",
    )  # fmt: skip


def registered(app: Any, tenant: Tenant, token: str | None = None, **metadata: Any) -> dict[str, Any]:
    """What a new application is told."""
    answer = ask(app, tenant, "POST", token, {**GOOD, **metadata})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.get_json())


def manage(app: Any, tenant: Tenant, told: dict[str, Any], method: str, body: Any = None) -> Any:
    """One request to the management of a registration, at the address that it was told."""
    address, _, query = told["registration_client_uri"].partition("?")
    assert address == f"{tenant.issuer}/register" and query == f"client_id={told['client_id']}"
    token = told["registration_access_token"]
    return ask(app, tenant, method, token, body, client_id=told["client_id"])


def party(app: Any, tenant: Tenant, told: dict[str, Any]) -> RelyingParty:
    """The relying party of a new application."""
    return RelyingParty(
        app, tenant, told["client_id"], told.get("client_secret"), told["redirect_uris"][0],
        told["token_endpoint_auth_method"],
    )  # fmt: skip
