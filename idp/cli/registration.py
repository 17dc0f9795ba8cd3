"""`idp registration`: the tokens that let applications register themselves with a tenant."""

from uuid import UUID

import click

from idp.cli import given, session


@click.group("registration")
def command() -> None:
    """Issue, list and revoke initial access tokens."""


@command.command("issue")
@given.tenant_option
@click.option(
    "--uses", type=click.IntRange(1, 1_000_000), default=1, help="Registrations that it is good for."
)
@click.option("--any-number", is_flag=True, help="It is good for any number of them.")
@click.option(
    "--lives", type=click.IntRange(1, 366 * 86_400), default=7 * 86_400, help="Seconds until it ends."
)
@click.option("--note", default="", help="Whom it is for.")
@session.options
def issue(slug: str, uses: int, any_number: bool, lives: int, note: str) -> None:
    """Make a token; it is shown now and never again."""
    from idp.control import registrations

    with given.inside(slug):
        made, token = registrations.issue(note, None if any_number else uses, lives, session.actor())
        row = {**registrations.described(made), "initial_access_token": token}
    session.answer(row, given.lines(row))


@command.command("list")
@given.tenant_option
@session.options
def list_(slug: str) -> None:
    """Show the tokens that have not expired, never the tokens themselves."""
    from idp.control import registrations

    with given.inside(slug):
        rows = [registrations.described(each) for each in registrations.list_()]
    session.answer(rows, given.table(rows, ("id", "note", "uses_left", "expires_at")))


@command.command("revoke")
@click.argument("token_id", type=click.UUID)
@given.tenant_option
@session.options
def revoke(token_id: UUID, slug: str) -> None:
    """End a token."""
    from idp.control import registrations

    with given.inside(slug):
        registrations.revoke(token_id, session.actor())
    session.answer({"revoked": str(token_id)}, "nobody registers with it any more")
