"""`idp policy`: what decides, and who said so."""

from dataclasses import asdict

import click

from idp.cli import given, session


@click.group("policy")
def command() -> None:
    """Show policies, their sources and defaults."""


@command.command("show")
@given.tenant_option
@click.option("--client", "client_id", help="As it holds for this client.")
@session.options
def show(slug: str, client_id: str | None) -> None:
    """Show each policy: value, source, default and ceiling."""
    from idp.control import policy

    with session.deployment():
        rows = [asdict(decided) for decided in policy.show(slug, client_id)]
    session.answer(rows, given.table(rows, ("name", "value", "unit", "source", "default", "ceiling")))
