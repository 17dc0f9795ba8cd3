"""`idp apply`: make the database match a blueprint."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import session

if TYPE_CHECKING:
    from idp.control.blueprints import Report

files = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)


@click.command("apply")
@files
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@session.options
def command(files: tuple[Path, ...], dry_run: bool) -> None:
    """Make the database match each FILE: all of it or nothing of it."""
    from idp.control import blueprints

    with session.deployment():
        report = blueprints.apply_files(files, session.actor(), dry_run=dry_run)
    session.answer(content(report), lambda: words(report))


def content(report: "Report") -> dict[str, Any]:
    """A report as JSON; the secrets that were made stand here once."""
    changes = [
        {
            "tenant": one.tenant,
            "kind": one.kind,
            "name": one.name,
            "action": one.action,
            "fields": list(one.fields),
        }
        for one in report.changes
    ]
    return {"changes": changes, "client_secrets": report.client_secrets}


def words(report: "Report") -> str:
    """A report as lines."""
    lines = [str(change) for change in report.changes] or ["nothing to change"]
    lines += [f"secret of {name}, shown once: {secret}" for name, secret in report.client_secrets.items()]
    return "\n".join(lines)
