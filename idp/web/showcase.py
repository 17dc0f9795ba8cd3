"""What the start page shows in development: the tenants of the demo that exist here, their people, where to go.

The passwords are those of the shipped blueprint, which is applied to throw-away services alone.
"""

from typing import Any

import yaml

from idp import config, directory, paths
from idp.web.languages import _
from idp.web.pages import DemoTenant, DemoUser


def tenants() -> tuple[DemoTenant, ...]:
    """The demo's tenants, those that exist; empty where the demo was not applied."""
    path = paths.examples() / "demo" / "blueprint.yaml"
    if not path.is_file():
        return ()
    described: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["tenants"]
    # The demo application is a relying party of the first tenant.
    return tuple(
        _shown(each, application=number == 0)
        for number, each in enumerate(described)
        if directory.resolve(each["slug"]) is not None
    )


def _shown(described: dict[str, Any], application: bool) -> DemoTenant:
    tenant = directory.resolve(described["slug"])
    issuer = tenant.issuer if tenant is not None else ""
    users = tuple(
        DemoUser(each["username"], each.get("name", ""), str(each.get("password", "")))
        for each in described.get("users", ())
        if isinstance(each.get("password"), str)
    )
    links = [
        (_("Discovery document"), f"{issuer}/.well-known/openid-configuration"),
        (_("Signing keys (JWKS)"), f"{issuer}/jwks.json"),
    ]
    if application:
        links.insert(0, (_("Open the demo application"), f"http://localhost:{config.settings().port + 1}/"))
    return DemoTenant(described["name"], described["slug"], issuer, users, tuple(links))
