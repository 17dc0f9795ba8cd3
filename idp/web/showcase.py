"""What the start page shows in development: the tenants of the demo that exist here, their people, where to go.

The passwords are those of the shipped blueprint, which is applied to throw-away services alone.
"""

from typing import Any

import yaml

from idp import config, directory, paths
from idp.web.pages import DemoTenant, DemoUser


def tenants() -> tuple[DemoTenant, ...]:
    """The demo's tenants, those that exist; empty where the demo was not applied."""
    path = paths.examples() / "demo" / "blueprint.yaml"
    if not path.is_file():
        return ()
    described: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["tenants"]
    return tuple(_shown(each) for each in described if directory.resolve(each["slug"]) is not None)


def _shown(described: dict[str, Any]) -> DemoTenant:
    tenant = directory.resolve(described["slug"])
    issuer = tenant.issuer if tenant is not None else ""
    users = tuple(
        DemoUser(each["username"], each.get("name", ""), str(each.get("password", "")))
        for each in described.get("users", ())
        if isinstance(each.get("password"), str)
    )
    links = [("Discovery", f"{issuer}/.well-known/openid-configuration"), ("Keys", f"{issuer}/jwks.json")]
    application = _application(described)
    if application:
        links.insert(0, ("Open the demo application", application))
    return DemoTenant(described["name"], described["slug"], issuer, users, tuple(links))


def _application(described: dict[str, Any]) -> str | None:
    """Where the demo application runs: one port above the provider's, for the tenant that it belongs to."""
    port = config.settings().port + 1
    for client in described.get("clients", ()):
        if any(uri.startswith("http://localhost:8001/") for uri in client.get("redirect_uris", ())):
            return f"http://localhost:{port}/"
    return None
