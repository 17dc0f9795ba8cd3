"""`idp claims`: what a client is told about a person."""

from dataclasses import asdict

import click

from idp.cli import given, session


@click.group("claims")
def command() -> None:
    """Preview what a client is told about a person."""


@command.command("preview")
@click.option("--tenant", "slug", metavar="SLUG", help="The tenant (else the only one that has both).")
@click.option("--user", "username", required=True, help="The person's username or sub.")
@click.option("--client", "client_id", required=True, help="The application's client_id.")
@click.option("--scope", help="The scopes granted (else all that the client may have).")
@click.option("--nonce", help="The nonce of the request (else none).")
@session.options
def preview(slug: str | None, username: str, client_id: str, scope: str | None, nonce: str | None) -> None:
    """Show ID token, userinfo and access token, and the rule that made each member; recorded, with --reason."""
    from idp.control import preview as previews
    from idp.control import tenants

    with session.deployment(), tenants.enter(slug or previews.only_tenant(username, client_id)):
        documents = previews.preview(username, client_id, scope=scope, nonce=nonce, actor=session.actor())
    session.answer(
        {
            where: {member.name: {"value": member.value, "rule": member.rule} for member in members}
            for where, members in documents.items()
        },
        lambda: "\n\n".join(
            f"{where}\n{given.table([asdict(member) for member in members], ('name', 'value', 'rule'))()}"
            for where, members in documents.items()
        ),
    )
