"""`idp explain ID`: which rule refused a request, what it expected and got, and the setting that decides."""

import click

from idp.cli import session


@click.command("explain")
@click.argument("request_id", metavar="ID")
@click.option("--tenant", "slug", metavar="SLUG", help="Look in this tenant only.")
@session.options
def command(request_id: str, slug: str | None) -> None:
    """Say why a request was refused; kept for seven days. Status 1 when nothing is known of it."""
    from idp.control import record

    with session.deployment():
        rows = record.refusals(request_id, slug)
    session.answer(
        rows, lambda: "\n\n".join(_words(row) for row in rows) or "Nothing is known of this request."
    )
    if not rows:
        session.no()


def _words(row: dict[str, object]) -> str:
    names = ("at", "tenant", "path", "code", "rule", "expected", "got", "setting")
    return "\n".join(f"{name:<9} {row[name]}" for name in names if row[name] is not None)
