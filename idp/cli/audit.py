"""`idp audit`: what happened in a tenant, and whether its record is whole."""

import click

from idp.cli import session

_tenant = click.option("--tenant", "slug", required=True, metavar="SLUG", help="The tenant.")


@click.group("audit")
def command() -> None:
    """Show and verify what was recorded."""


@command.command("list")
@_tenant
@click.option("--event", help="Only events of this name, such as sign_in.failed.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@session.options
def list_(slug: str, event: str | None, limit: int) -> None:
    """Show the newest events, the newest first."""
    from idp.control import record

    with session.deployment():
        rows = record.events(slug, event, limit)
    session.answer(rows, lambda: "\n".join(_line(row) for row in rows))


@command.command("verify")
@click.option("--tenant", "slug", metavar="SLUG", help="The tenant (else every one).")
@session.options
def verify(slug: str | None) -> None:
    """Check the chain of seals against the rows; status 1 when it is broken."""
    from idp.control import record

    with session.deployment():
        verdict = record.verify(slug) if slug is not None else record.verify_every()
    each = {slug: verdict} if slug is not None else verdict["tenants"]
    session.answer(verdict, lambda: "\n".join(f"{name}: {_words(one)}" for name, one in each.items()))
    if not verdict["whole"]:
        session.no()


def _line(row: dict[str, object]) -> str:
    return (
        f"{row['at']}  {row['event']:<28} {row['actor']}  {row['facts']}  {row['request_id'] or ''}".rstrip()
    )


def _words(verdict: dict[str, object]) -> str:
    faults = verdict["broken"]
    tail = f"{verdict['unsealed']} rows at the end are not sealed yet. Last digest: {verdict['head']}"
    if isinstance(faults, list) and faults:
        return "\n".join(["The record is not whole:", *(f"  {fault}" for fault in faults), tail])
    return f"{verdict['seals']} seals over {verdict['rows']} rows hold. {tail}"
