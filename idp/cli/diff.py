"""`idp diff`: show where the database differs from a blueprint."""

from pathlib import Path

import click

from idp.cli import apply, session


@click.command("diff")
@apply.files
@session.options
def command(files: tuple[Path, ...]) -> None:
    """Show what `idp apply` would change; exit status 1 when it would change anything."""
    from idp.control import blueprints

    with session.deployment():
        report = blueprints.apply_files(files, session.actor(), dry_run=True)
    session.answer(apply.content(report), lambda: apply.words(report))
    if report.changes:
        session.no()
