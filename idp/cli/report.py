"""`idp report`: the kept reports of proofs, and whether one is genuine."""

from pathlib import Path

import click

from idp.cli import given, session


@click.group("report")
def command() -> None:
    """Show and verify reports of proofs."""


@command.command("list")
@session.options
def list_() -> None:
    """List the kept proofs, the newest first."""
    from idp.control import proofs

    with session.deployment():
        rows = proofs.listing()
    session.answer(rows, given.table(rows, ("at", "holds", "seconds", "version", "schema", "broken")))


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@session.options
def verify(file: Path) -> None:
    """Check the signature of a report; status 1 when this deployment did not sign it as it is."""
    from idp.control import proofs

    with click.open_file(str(file), encoding="utf-8") as opened:
        text = opened.read()
    with session.deployment():
        verdict = proofs.verify(text)
    session.answer(verdict, given.lines(verdict))
    if not verdict["genuine"]:
        session.no()


@command.command("key")
@session.options
def key() -> None:
    """Print the public keys under which this deployment's reports verify."""
    from idp.control import proofs

    with session.deployment():
        keys = proofs.public_keys()
    session.answer(keys, given.lines(keys))
