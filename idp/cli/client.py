"""`idp client`: the applications of a tenant."""

import datetime as dt
from pathlib import Path
from typing import Any

import click

from idp.cli import given, integrating, session


@click.group("client")
def command() -> None:
    """Create, list, show, update, suspend, resume, delete the applications of a tenant."""


secret_file_type = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_metadata_options = (
    click.option("--name", "client_name", help="What people read (else the client_id)."),
    click.option(
        "--redirect-uri", "redirect_uris", multiple=True, help="Where answers may go; may be repeated."
    ),
    click.option("--grant-type", "grant_types", multiple=True, help="A grant it may use; may be repeated."),
    click.option(
        "--auth-method", "token_endpoint_auth_method", help="How it proves itself at the token endpoint."
    ),
    click.option("--scope", help="The scopes it may have, with blanks between."),
    given.set_option,
)


def with_metadata(function: Any) -> Any:
    """Add the options that say what an application is."""
    for option in reversed(_metadata_options):
        function = option(function)
    return function


def stated(settings: tuple[str, ...], named: dict[str, Any]) -> dict[str, Any]:
    """What these options say."""
    found = given.fields(settings)
    for name, member in named.items():
        if member:
            found[name] = list(member) if isinstance(member, tuple) else member
    return found


@command.command("create")
@click.argument("client_id", required=False)
@given.tenant_option
@click.option(
    "--secret-file", type=secret_file_type, help="A file that holds the secret; - for standard input."
)
@click.option("--for", "product", help="The product that it is for; its configuration is printed.")
@click.option("--url", help="Where that product is reached.")
@with_metadata
@session.options
def create(
    client_id: str | None, slug: str, secret_file: Path | None, product: str | None, url: str | None,
    settings: tuple[str, ...], **named: Any,
) -> None:  # fmt: skip
    """Make an application; a secret that is made for it is shown now and never again.

    With --for, the client_id is the product's name unless one is given.
    """
    from idp.control import clients

    fields = stated(settings, named)
    if product is not None or url is not None:
        integrating.create(slug, product, url, client_id, fields, secret_file)
        return
    if client_id is None:
        raise click.UsageError("Missing argument 'CLIENT_ID'.")
    secret = given.from_file(secret_file)
    with given.inside(slug):
        made = clients.create(client_id, fields, session.actor(), client_secret=secret)
        row = clients.described(made.client, made)
    session.answer(row, given.lines(row))


@command.command("list")
@given.tenant_option
@given.limit_option
@click.option("--after", metavar="CLIENT_ID", help="Those behind this one.")
@session.options
def list_(slug: str, limit: int, after: str | None) -> None:
    """List applications by client_id."""
    from idp.control import clients

    with given.inside(slug):
        rows = [clients.described(client) for client in clients.list_(limit, after)]
    session.answer(rows, given.table(rows, ("client_id", "client_name", "status", "grant_types")))


@command.command("show")
@click.argument("client_id")
@given.tenant_option
@session.options
def show(client_id: str, slug: str) -> None:
    """Show one application, never a secret."""
    from idp.control import clients

    with given.inside(slug):
        row = clients.described(clients.show(client_id))
    session.answer(row, given.lines(row))


@command.command("update")
@click.argument("client_id")
@given.tenant_option
@with_metadata
@session.options
def update(client_id: str, slug: str, settings: tuple[str, ...], **named: Any) -> None:
    """Change an application."""
    from idp.control import clients

    fields = stated(settings, named)
    with given.inside(slug):
        made = clients.update(client_id, fields, session.actor())
        row = clients.described(made.client, made)
    session.answer(row, given.lines(row))


@command.command("rotate-secret")
@click.argument("client_id")
@given.tenant_option
@click.option(
    "--secret-file", type=secret_file_type, help="A file that holds the new secret; - for standard input."
)
@click.option(
    "--keep-old", type=click.IntRange(0, 30 * 86400), default=86400, help="Seconds that the old one works."
)
@click.option("--expires-in", type=click.IntRange(60), help="Seconds after which the new one ends.")
@session.options
def rotate_secret(
    client_id: str, slug: str, secret_file: Path | None, keep_old: int, expires_in: int | None
) -> None:
    """Give an application one more secret; it is shown now and never again."""
    from idp import clock
    from idp.control import clients

    secret = given.from_file(secret_file)
    with given.inside(slug):
        made = clients.rotate_secret(
            client_id, session.actor(), client_secret=secret, keep_old=dt.timedelta(seconds=keep_old),
            expires_at=clock.now() + dt.timedelta(seconds=expires_in) if expires_in else None,
        )  # fmt: skip
        row = clients.described(made.client, made)
    session.answer(row, given.lines(row))


@command.command("suspend")
@click.argument("client_id")
@given.tenant_option
@session.options
def suspend(client_id: str, slug: str) -> None:
    """Refuse everything that an application asks, and keep it."""
    from idp.control import clients

    with given.inside(slug):
        row = clients.described(clients.suspend(client_id, session.actor()))
    session.answer(row, given.lines(row))


@command.command("resume")
@click.argument("client_id")
@given.tenant_option
@session.options
def resume(client_id: str, slug: str) -> None:
    """Let a suspended application work again."""
    from idp.control import clients

    with given.inside(slug):
        row = clients.described(clients.resume(client_id, session.actor()))
    session.answer(row, given.lines(row))


@command.command("delete")
@click.argument("client_id")
@given.tenant_option
@session.options
def delete(client_id: str, slug: str) -> None:
    """Delete an application with its secrets, consents and tokens."""
    from idp.control import clients

    with given.inside(slug):
        clients.delete(client_id, session.actor())
    session.answer({"client_id": client_id, "deleted": True}, f"{client_id} is deleted")
