"""`idp context`: signed tenant contexts, for the canaries of a proof alone."""

from dataclasses import asdict

import click

from idp.cli import given, session


@click.group("context")
def command() -> None:
    """Sign tenant contexts for the canaries of a proof."""


@command.command("sign")
@click.argument("slugs", nargs=-1, required=True, metavar="SLUG...")
@click.option(
    "--lives", multiple=True, type=int, default=(30,), metavar="SECONDS",
    help="For how long, at most 600; negative: one that has ended. May be given several times.",
)  # fmt: skip
@session.options
def sign(slugs: tuple[str, ...], lives: tuple[int, ...]) -> None:
    """Sign contexts of each canary SLUG; any other tenant is refused."""
    from idp.control import contexts

    with session.deployment():
        rows = [asdict(each) for slug in slugs for each in contexts.sign(slug, lives, session.actor())]
    session.answer(rows, given.table(rows, ("slug", "lives", "context")))
