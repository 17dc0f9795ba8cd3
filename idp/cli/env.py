"""`idp env`: the addresses of this deployment, running or stopped."""

import re
from pathlib import Path

import click

from idp import __version__
from idp.cli import session
from idp.config import Settings

_PASSWORD = re.compile(r"(?<=:)[^:@/]+(?=@)")


@click.command("env")
@click.option("--show-secrets", is_flag=True, help="Show the passwords inside the URLs.")
@session.options
def command(show_secrets: bool) -> None:
    """Show how this deployment is reached, and which version and schema this program has."""
    from idp.control import schema

    deployment = session.found()
    values: dict[str, str | None] = {"version": __version__, "schema": schema.head()}
    values |= addresses(deployment.settings())
    if "management_bind" in deployment.folder.state() and not deployment.up:
        values["management_url"] = None  # its port is a free one of each run, and somebody else's by now
    if not show_secrets:
        values = {name: _PASSWORD.sub("…", value) if value else value for name, value in values.items()}
    session.answer(values, "\n".join(f"{name}={value or ''}" for name, value in values.items()))


def addresses(settings: Settings) -> dict[str, str | None]:
    """The addresses by name; None for what this deployment does not have."""
    return {
        "base_url": settings.base_url,
        "management_url": None
        if settings.management_bind.endswith(":0")
        else f"http://{settings.management_bind}",
        "home": str(Path(settings.home)),
        "database_url": settings.database_url or None,
        "owner_database_url": settings.migrator_database_url,
        "redis_url": settings.redis_url or None,
        "redis_admin_url": settings.redis_admin_url,
    }
