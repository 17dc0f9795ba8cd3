"""`idp client create --for`: the client of a product, and the configuration that goes to the other side."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import given, session

if TYPE_CHECKING:
    from idp.control.integrations import Integration


def create(
    slug: str,
    product: str | None,
    url: str | None,
    client_id: str | None,
    fields: dict[str, Any],
    secret_file: Path | None,
) -> None:
    """Make it and print it: the configuration on standard output, what was made beside it on standard error.

    Raises click.UsageError where the options do not go together, and what `integrations.create` refuses.
    """
    if product is None or url is None:
        raise click.UsageError("--for and --url go together.")
    if secret_file is not None:
        raise click.UsageError(
            "--secret-file does not go with --for, which makes a secret where one is needed."
        )
    from idp.control import clients, integrations

    with given.inside(slug):
        made = integrations.create(product, url, client_id, fields, session.actor())
        row = clients.described(made.made.client, made.made)
    _answer(made, row)


def _answer(made: "Integration", row: dict[str, Any]) -> None:
    row |= {"for": made.product.name, "api": made.api}
    files = [{"name": each.name, "text": each.text} for each in made.configuration]
    if session.current().json:
        session.answer({**row, "configuration": files})
        return
    told = {
        name: member for name, member in row.items() if name != "client_secret"
    }  # it is in the configuration
    session.answer(row, given.lines(told))
    click.echo("\n".join(("", *made.product.know)), err=True)
    click.echo(printed(made), nl=False)


def printed(made: "Integration") -> str:
    """The files of the configuration; where there are several, each behind a line with its name."""
    if len(made.configuration) == 1:
        return made.configuration[0].text
    return "\n".join(f"==> {each.name} <==\n{each.text}" for each in made.configuration)
