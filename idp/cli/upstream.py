"""`idp upstream`: providers with which a tenant's people may sign in."""

from pathlib import Path
from typing import Any

import click

from idp.cli import given, session


@click.group("upstream")
def command() -> None:
    """Create, list, show, update, suspend, resume, delete the providers that a tenant trusts."""


_file = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_secret = click.option(
    "--secret-file", type=_file, help="A file that holds the client secret; - for standard input."
)
_options = (
    click.option("--preset", help="google, okta, entra or github: what is known of it by name."),
    click.option("--issuer", help="Who it is, exactly as its discovery document says."),
    click.option("--client-id", help="Who we are there."),
    click.option("--name", "display_name", help="What its button says."),
    click.option(
        "--domain", "domains", multiple=True, help="A domain whose people are led there; may be repeated."
    ),
    click.option("--creation/--no-creation", default=None, help="Whether somebody new gets an account."),
    given.set_option,
    _secret,
)


def _with_fields(function: Any) -> Any:
    for option in reversed(_options):
        function = option(function)
    return function


def _fields(settings: tuple[str, ...], named: dict[str, Any]) -> dict[str, Any]:
    found = given.fields(settings)
    for name, member in named.items():
        if member not in (None, ()):
            found[name] = list(member) if isinstance(member, tuple) else member
    return found


@command.command("create")
@click.argument("name")
@given.tenant_option
@_with_fields
@session.options
def create(name: str, slug: str, settings: tuple[str, ...], secret_file: Path | None, **named: Any) -> None:
    """Let people sign in by another provider; the answer says which redirect_uri to register there."""
    from idp.control import upstreams

    fields, secret = _fields(settings, named), given.from_file(secret_file)
    with given.inside(slug):
        row = upstreams.described(upstreams.create(name, fields, session.actor(), client_secret=secret))
    session.answer(row, given.lines(row))


@command.command("list")
@given.tenant_option
@session.options
def list_(slug: str) -> None:
    """List them by name."""
    from idp.control import upstreams

    with given.inside(slug):
        rows = [upstreams.described(each) for each in upstreams.list_()]
    session.answer(rows, given.table(rows, ("name", "issuer", "status", "people")))


@command.command("show")
@click.argument("name")
@given.tenant_option
@session.options
def show(name: str, slug: str) -> None:
    """Show one, never its secret."""
    from idp.control import upstreams

    with given.inside(slug):
        row = upstreams.described(upstreams.show(name))
    session.answer(row, given.lines(row))


@command.command("update")
@click.argument("name")
@given.tenant_option
@_with_fields
@session.options
def update(name: str, slug: str, settings: tuple[str, ...], secret_file: Path | None, **named: Any) -> None:
    """Change one; its issuer is for good."""
    from idp.control import upstreams

    fields, secret = _fields(settings, named), given.from_file(secret_file)
    with given.inside(slug):
        row = upstreams.described(upstreams.update(name, fields, session.actor(), client_secret=secret))
    session.answer(row, given.lines(row))


@command.command("suspend")
@click.argument("name")
@given.tenant_option
@session.options
def suspend(name: str, slug: str) -> None:
    """Let nobody sign in by it, and sign out whoever did; what is linked stays."""
    _status(name, slug, "suspended")


@command.command("resume")
@click.argument("name")
@given.tenant_option
@session.options
def resume(name: str, slug: str) -> None:
    """Let people sign in by it again."""
    _status(name, slug, "active")


def _status(name: str, slug: str, status: str) -> None:
    from idp.control import upstreams

    with given.inside(slug):
        row = upstreams.described(upstreams.update(name, {"status": status}, session.actor()))
    session.answer(row, given.lines(row))


@command.command("delete")
@click.argument("name")
@given.tenant_option
@session.options
def delete(name: str, slug: str) -> None:
    """Delete one with every identity of it; whoever signed in by it is signed out."""
    from idp.control import upstreams

    with given.inside(slug):
        people = upstreams.delete(name, session.actor())
    session.answer(
        {"name": name, "deleted": True, "people": people}, f"{name} is deleted; {people} people knew it"
    )
