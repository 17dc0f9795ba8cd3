"""`idp backup`: every row to a file, without the key ring."""

from pathlib import Path

import click

from idp.cli import session


@click.command("backup")
@click.option("--to", "path", metavar="FILE", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="The file to write; it must not be there yet.")  # fmt: skip
@session.options
def command(path: Path) -> None:
    """Write every row, as of one instant, to a file that nobody else may read. The key ring is not in it."""
    from idp.control import backups

    with session.found().running(postgres_only=True) as settings:
        done = backups.backup(settings, path)
    session.answer(
        {"file": str(path), "rows": done.rows, "schema": done.schema, "taken_at": done.taken_at,
         "ring_keys": list(done.ring_keys)},
        f"{done.rows} rows at schema {done.schema} are in {path}. Keep the key ring's own backup elsewhere: "
        f"without its keys {', '.join(done.ring_keys) or '(none)'} no token can be signed again.",
    )  # fmt: skip
