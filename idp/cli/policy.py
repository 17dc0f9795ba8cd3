"""`idp policy`: what decides, and who said so."""

from dataclasses import asdict

import click

from idp.cli import given, session


@click.group("policy")
def command() -> None:
    """Show policies, their sources and defaults."""


@command.command("show")
@click.option(
    "--tenant", "slug", metavar="SLUG", help="As it holds for this tenant (else the platform's own)."
)
@click.option("--client", "client_id", help="As it holds for this client of the tenant.")
@session.options
def show(slug: str | None, client_id: str | None) -> None:
    """Show each policy: value, source, default and ceiling."""
    from idp.control import policy

    if slug is None:
        if client_id is not None:
            raise click.UsageError("--client needs --tenant: a client belongs to one.")
        rows = [asdict(decided) for decided in policy.platform()]
    else:
        with session.deployment():
            rows = [asdict(decided) for decided in policy.show(slug, client_id)]
    session.answer(rows, given.table(rows, ("name", "value", "unit", "source", "default", "ceiling")))
