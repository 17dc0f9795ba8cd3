"""`idp application`: applications of the platform, registered once and enabled for all tenants or listed ones."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import given, session
from idp.cli.client import secret_file_type, stated, with_metadata

if TYPE_CHECKING:
    from idp.control.applications import Made


@click.group("application")
def command() -> None:
    """Create, list, show, update, enable, disable, suspend, resume, delete applications of the platform."""


_tenants_option = click.option(
    "--tenant", "slugs", multiple=True, metavar="SLUG", help="A tenant; may be repeated."
)
_all_option = click.option("--all", "everywhere", is_flag=True, help="Every tenant, those to come included.")


def _which(slugs: tuple[str, ...], everywhere: bool) -> None:
    if bool(slugs) == everywhere:
        raise click.UsageError("Give either --tenant, once or more often, or --all.")


def _told(made: "Made") -> None:
    from idp.control import applications

    row = applications.described(made.application, made)
    session.answer(row, given.lines(row))
    if made.problems:
        session.no()


@command.command("create")
@click.argument("client_id")
@click.option(
    "--secret-file", type=secret_file_type, help="A file that holds the secret; - for standard input."
)
@click.option(
    "--issuer",
    type=click.Choice(["tenant", "platform"]),
    default="tenant",
    help="Whose issuer it knows, for good: that of each tenant, or the platform's.",
)
@with_metadata
@session.options
def create(
    client_id: str, secret_file: Path | None, issuer: str, settings: tuple[str, ...], **named: Any
) -> None:
    """Register an application, enabled nowhere yet; a secret that is made for it is shown now and never again."""
    from idp.control import applications

    fields, secret = {**stated(settings, named), "issuer": issuer}, given.from_file(secret_file)
    with session.deployment():
        _told(applications.create(client_id, fields, session.actor(), client_secret=secret))


@command.command("list")
@given.limit_option
@click.option("--after", metavar="CLIENT_ID", help="Those behind this one.")
@session.options
def list_(limit: int, after: str | None) -> None:
    """List applications by client_id."""
    from idp.control import applications

    with session.deployment():
        rows = [applications.described(one) for one in applications.list_(limit, after)]
    session.answer(rows, given.table(rows, ("client_id", "client_name", "status", "everywhere", "tenants")))


@command.command("show")
@click.argument("client_id")
@session.options
def show(client_id: str) -> None:
    """Show one application and where it is enabled, never a secret."""
    from idp.control import applications

    with session.deployment():
        row = applications.described(applications.show(client_id))
    session.answer(row, given.lines(row))


@command.command("update")
@click.argument("client_id")
@with_metadata
@session.options
def update(client_id: str, settings: tuple[str, ...], **named: Any) -> None:
    """Change an application at every tenant that has it."""
    from idp.control import applications

    fields = stated(settings, named)
    with session.deployment():
        _told(applications.update(client_id, fields, session.actor()))


@command.command("rotate-secret")
@click.argument("client_id")
@click.option(
    "--secret-file", type=secret_file_type, help="A file that holds the new secret; - for standard input."
)
@click.option(
    "--keep-old", type=click.IntRange(0, 30 * 86400), default=86400, help="Seconds that the old one works."
)
@session.options
def rotate_secret(client_id: str, secret_file: Path | None, keep_old: int) -> None:
    """Give an application one more secret; it is shown now and never again."""
    from idp.control import applications

    secret = given.from_file(secret_file)
    with session.deployment():
        _told(
            applications.rotate_secret(
                client_id, session.actor(), client_secret=secret, keep_old=dt.timedelta(seconds=keep_old)
            )
        )


@command.command("enable")
@click.argument("client_id")
@_tenants_option
@_all_option
@session.options
def enable(client_id: str, slugs: tuple[str, ...], everywhere: bool) -> None:
    """Let tenants have an application: its client_id, secret and metadata count at their issuers too."""
    from idp.control import applications

    _which(slugs, everywhere)
    with session.deployment():
        _told(applications.enable(client_id, slugs, session.actor(), everywhere=everywhere))


@command.command("disable")
@click.argument("client_id")
@_tenants_option
@_all_option
@session.options
def disable(client_id: str, slugs: tuple[str, ...], everywhere: bool) -> None:
    """Take an application from tenants: nothing that it has counts there any more."""
    from idp.control import applications

    _which(slugs, everywhere)
    with session.deployment():
        _told(applications.disable(client_id, slugs, session.actor(), everywhere=everywhere))


@command.command("suspend")
@click.argument("client_id")
@session.options
def suspend(client_id: str) -> None:
    """Refuse everything that an application asks, at every tenant, and keep it."""
    from idp.control import applications

    with session.deployment():
        _told(applications.update(client_id, {"status": "suspended"}, session.actor()))


@command.command("resume")
@click.argument("client_id")
@session.options
def resume(client_id: str) -> None:
    """Let a suspended application work again, where it is enabled."""
    from idp.control import applications

    with session.deployment():
        _told(applications.update(client_id, {"status": "active"}, session.actor()))


@command.command("delete")
@click.argument("client_id")
@session.options
def delete(client_id: str) -> None:
    """Delete an application, and at every tenant its secrets, consents and tokens."""
    from idp.control import applications

    with session.deployment():
        applications.delete(client_id, session.actor())
    session.answer({"client_id": client_id, "deleted": True}, f"{client_id} is deleted")
