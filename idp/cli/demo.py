"""The demonstration beside the provider: which ports, which programs, which blueprint.

The blueprint names the usual ports; where the provider listens elsewhere, its neighbours move with it.
"""

import os
from pathlib import Path
from typing import Any

import yaml

from idp import paths

USUAL_PORT = 8000
Program = tuple[str, Path, dict[str, str]]


def ports(base: int) -> tuple[int, int]:
    """The ports of the relying party and of the service beside a provider on `base`."""
    return base + 1, base + 2


def source() -> Path:
    """The blueprint as it is shipped."""
    return paths.examples() / "demo" / "blueprint.yaml"


def blueprint(home: Path, base: int) -> Path:
    """The blueprint with the ports of a provider on `base`, written below `home`."""
    text = source().read_text(encoding="utf-8")
    for usual, ours in zip((USUAL_PORT, *ports(USUAL_PORT)), (base, *ports(base)), strict=True):
        text = text.replace(f"://localhost:{usual}", f"://localhost\0{ours}")
    path = home / "run" / "demo.yaml"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text.replace("localhost\0", "localhost:"))
    return path


def tenants() -> list[dict[str, Any]]:
    """The tenants of the shipped blueprint."""
    return list(yaml.safe_load(source().read_text(encoding="utf-8"))["tenants"])


def programs(base_url: str, base: int) -> list[Program]:
    """Name, file and environment of each program: an application of the first tenant, and its service."""
    first = tenants()[0]
    application = next(each for each in first["clients"] if each.get("redirect_uris"))
    relying_party, service = ports(base)
    issuer = f"{base_url}/t/{first['slug']}"
    folder = paths.examples()
    return [
        (
            "service",
            folder / "resource_server" / "app.py",
            {
                "IDP_ISSUER": issuer,
                "PORT": str(service),
                "AUDIENCE": first["apis"][0]["identifier"],
                "TENANT": first["slug"],
            },
        ),
        (
            "relying-party",
            folder / "relying_party" / "app.py",
            {
                "IDP_ISSUER": issuer,
                "PORT": str(relying_party),
                "CLIENT_ID": application["client_id"],
                "CLIENT_SECRET": application["client_secret"],
                "SERVICE_URL": f"http://localhost:{service}",
            },
        ),
    ]
