"""`idp outbox`: what has to be delivered to others, such as the news of a sign-out, and what nobody took."""

import click

from idp.cli import given, session


@click.group("outbox")
def command() -> None:
    """Show what waits to be delivered and what was given up, and try that again."""


@command.command("list")
@given.tenant_option
@given.limit_option
@session.options
def list_(slug: str, limit: int) -> None:
    """Show messages: for whom, how often tried, what went wrong, when the next try comes."""
    from idp.control import messages

    with given.inside(slug):
        rows = messages.list_(limit)
    session.answer(
        rows, given.table(rows, ("id", "state", "topic", "recipient", "attempts", "problem", "next_at"))
    )


@command.command("retry")
@click.argument("message", required=False)
@given.tenant_option
@session.options
def retry(message: str | None, slug: str) -> None:
    """Try again what was given up, all of it or one message by its id."""
    from idp.control import messages

    with given.inside(slug):
        count = messages.put_back(message, session.actor())
    session.answer({"put_back": count}, f"{count} message(s) wait for the worker again")
