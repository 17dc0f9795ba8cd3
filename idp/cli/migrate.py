"""`idp migrate`: the schema to its head, as idp_migrator; roles first where a superuser's URL is given."""

import click

from idp.cli import session


@click.command("migrate")
@click.option(
    "--print-roles",
    type=click.Choice(["superuser", "managed"]),
    help="Print the SQL that makes the roles, for a superuser or for a managed service, and do nothing.",
)
@session.options
def command(print_roles: str | None) -> None:
    """Bring the schema to its head."""
    if print_roles:
        from idp.control import installation

        click.echo(installation.roles_sql(print_roles), nl=False)
        return
    with session.found().running(postgres_only=True) as settings:
        from idp.control import installation

        fresh = installation.make_roles(settings, installation.passwords_of(settings))
        done = installation.upgrade(settings, fresh=fresh)
    session.answer(
        {"before": done.before, "after": done.after},
        f"The schema is at {done.after}."
        if done.before == done.after
        else f"The schema went from {done.before or 'nothing'} to {done.after}.",
    )
