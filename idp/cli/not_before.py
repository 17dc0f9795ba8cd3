"""`idp not-before`: nothing counts any more that was issued until now."""

import click

from idp.cli import session


@click.command("not-before")
@click.option("--tenant", "slug", metavar="SLUG", help="This tenant.")
@click.option("--all", "all_", is_flag=True, help="Every tenant.")
@session.options
def command(slug: str | None, all_: bool) -> None:
    """Refuse every token, refresh token, session and code that was issued until now; everybody signs in again."""
    from idp.control import not_before

    if (slug is None) is not all_:
        raise click.UsageError("give --tenant SLUG or --all")
    with session.deployment():
        who = session.actor()
        done = (not_before.one(slug, who) if slug is not None else not_before.every(who)).described()
    session.answer(
        done,
        f"Nothing from before {done['not_before']} counts any more, for {done['tenants']} tenant(s). "
        "Access tokens that services check by themselves live until they expire.",
    )
