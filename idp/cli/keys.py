"""`idp keys`: a tenant's signing keys, and the ring that seals them all."""

import click

from idp.cli import session
from idp.signing.keys import ALGORITHMS


@click.group("keys")
def command() -> None:
    """List, rotate, revoke signing keys; change the key ring."""


_tenant = click.option("--tenant", "slug", required=True, metavar="SLUG", help="The tenant.")


@command.command("list")
@_tenant
@session.options
def list_(slug: str) -> None:
    """Show a tenant's keys, their states and times."""
    from idp.control import keys

    with session.deployment():
        rows = keys.listing(slug)
    session.answer(rows, lambda: _table(rows))


@command.command("rotate")
@_tenant
@click.option("--alg", type=click.Choice([*ALGORITHMS, "Ed25519"]), help="One algorithm instead of all.")
@click.option("--now", is_flag=True, help="Sign with the next key at once; some may not know it yet.")
@session.options
def rotate(slug: str, alg: str | None, now: bool) -> None:
    """Replace the active key by the next one, as soon as everyone can know it."""
    from idp.control import keys

    with session.deployment():
        rows = keys.rotate(slug, alg, now=now)
    session.answer(rows, lambda: _table(rows))


@command.command("revoke")
@_tenant
@click.argument("kid")
@session.options
def revoke(slug: str, kid: str) -> None:
    """Revoke a key in an emergency: whatever it signed is void within seconds."""
    from idp.control import keys

    with session.deployment():
        rows = keys.revoke(slug, kid)
    session.answer(rows, lambda: _table(rows))


@command.group("ring")
def ring() -> None:
    """The key-encryption keys that seal every tenant's signing keys."""


@ring.command("list")
@session.options
def ring_list() -> None:
    """Show the ring's keys (never their bytes) and how many signing keys each seals."""
    from idp.control import keys

    with session.deployment() as settings:
        rows = keys.ring_listing(settings)
    session.answer(rows, lambda: "\n".join(_ring_line(row) for row in rows))


@ring.command("add")
@session.options
def ring_add() -> None:
    """Add a key to the ring and seal everything under it."""
    from idp.control import keys

    with session.deployment() as settings:
        done = keys.ring_add(settings)
    session.answer(
        done,
        f"Ring key {done['id']} was added and now seals {done['resealed']} signing keys. Running processes take it\n"
        f"up by themselves. Keep the old one until every process has been restarted, then: idp keys ring drop ID",
    )


@ring.command("drop")
@click.argument("ring_id", metavar="ID")
@session.options
def ring_drop(ring_id: str) -> None:
    """Drop an older key of the ring that seals nothing any more."""
    from idp.control import keys

    with session.deployment() as settings:
        keys.ring_drop(settings, ring_id)
    session.answer({"dropped": ring_id}, f"Ring key {ring_id} was dropped.")


def _table(rows: list[dict[str, str | None]]) -> str:
    names = ("kid", "alg", "state", "publish_at", "activate_at", "retire_at", "gone_at", "revoked_at")
    lines = [names, *(tuple((row[name] or "-").replace("+00:00", "Z") for name in names) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _ring_line(row: dict[str, object]) -> str:
    return f"{row['id']}  made {row['created_at']}  seals {row['seals']}{'  newest: wraps' if row['newest'] else ''}"
