"""`idp passwords`: filters of passwords that nobody may choose."""

from pathlib import Path

import click

from idp.cli import session

_file = click.Path(path_type=Path, dir_okay=False)


@click.group("passwords")
def command() -> None:
    """Make a filter of stolen passwords for IDP_BREACHED_PASSWORDS."""


@command.command("build")
@click.argument("source", metavar="LIST", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--to", "target", type=_file, required=True, help="The file to write.")
@click.option("--least", default=8, show_default=True, help="Plain passwords shorter than this are left out.")
@session.options
def build(source: Path, target: Path, least: int) -> None:
    """Make one of LIST: a password a line, or SHA-1 digests as Have I Been Pwned has them."""
    from idp.control import stolen

    count = stolen.build(source, target, least)
    session.answer({"entries": count, "bytes": target.stat().st_size}, f"{count} passwords in {target}")
