"""`idp tenant`: the customers of this provider."""

from dataclasses import asdict
from typing import Any

import click

from idp.cli import given, session


@click.group("tenant")
def command() -> None:
    """Create, list, show, update, suspend, resume, delete tenants."""


@command.command("create")
@click.argument("slug")
@click.option("--name", help="What people read (else the slug).")
@given.set_option
@session.options
def create(slug: str, name: str | None, settings: tuple[str, ...]) -> None:
    """Make a tenant with its signing keys; `--set policy.NAME=VALUE`, `--set branding.NAME=VALUE`."""
    from idp.control import tenants

    fields = given.nested(settings)
    fields |= {"name": name} if name else {}
    with session.deployment():
        tenants.checked({"slug": slug} | fields)
        row = tenants.described(
            tenants.create(
                slug, fields.get("name"), policy=fields.get("policy"), branding=fields.get("branding"),
                actor=session.actor(),
            )
        )  # fmt: skip
    session.answer(row, given.lines(row))


@command.command("list")
@given.limit_option
@click.option("--after", metavar="SLUG", help="Those behind this one.")
@session.options
def list_(limit: int, after: str | None) -> None:
    """List tenants by slug."""
    from idp.control import tenants

    with session.deployment():
        rows = [tenants.described(row) for row in tenants.list_(limit, after)]
    session.answer(rows, given.table(rows, ("slug", "name", "status", "issuer")))


@command.command("show")
@click.argument("slug")
@session.options
def show(slug: str) -> None:
    """Show one tenant."""
    from idp.control import tenants

    with session.deployment():
        row = tenants.described(tenants.show(slug))
    session.answer(row, given.lines(row))


@command.command("update")
@click.argument("slug")
@click.option("--name", help="What people read.")
@given.set_option
@session.options
def update(slug: str, name: str | None, settings: tuple[str, ...]) -> None:
    """Change a tenant; `--set policy.NAME=VALUE`, `--set branding.NAME=VALUE`."""
    from idp.control import tenants

    fields = given.nested(settings) | ({"name": name} if name else {})
    with session.deployment():
        row = tenants.described(tenants.update(slug, fields, session.actor()))
    session.answer(row, given.lines(row))


@command.command("suspend")
@click.argument("slug")
@session.options
def suspend(slug: str) -> None:
    """Refuse everything that a tenant is asked, and keep its data."""
    from idp.control import tenants

    with session.deployment():
        row = tenants.described(tenants.suspend(slug, session.actor()))
    session.answer(row, given.lines(row))


@command.command("resume")
@click.argument("slug")
@session.options
def resume(slug: str) -> None:
    """Make a suspended, deleted or unfinished tenant active."""
    from idp.control import tenants

    with session.deployment():
        row = tenants.described(tenants.resume(slug, session.actor()))
    session.answer(row, given.lines(row))


@command.command("delete")
@click.argument("slug")
@click.option("--purge", is_flag=True, help="Delete every row of it, for good.")
@session.options
def delete(slug: str, purge: bool) -> None:
    """Make a tenant unreachable; `idp tenant resume` brings it back, unless it was purged."""
    from idp.control import tenants

    with session.deployment():
        if purge:
            tenants.show(slug)
            click.echo(
                f"The rows go in {tenants.HEARD} s, when every process has heard that {slug} is deleted.",
                err=True,
            )
        tenants.delete(slug, session.actor(), purge=purge)
    session.answer(
        {"slug": slug, "deleted": True, "purged": purge}, f"{slug} is {'purged' if purge else 'deleted'}"
    )


@command.group("host")
def host() -> None:
    """Hosts of a tenant's own; each counts once its DNS proves it."""


@host.command("add")
@click.argument("slug")
@click.argument("name")
@session.options
def host_add(slug: str, name: str) -> None:
    """Note a host, and show the TXT record that proves it; the issuer stays what it is."""
    from idp.control import hosts

    with session.deployment():
        proof = asdict(hosts.add(slug, name, session.actor()))
    session.answer(proof, given.lines(proof))


@host.command("list")
@click.argument("slug")
@session.options
def host_list(slug: str) -> None:
    """List a tenant's hosts and what proves each."""
    from idp.control import hosts

    with session.deployment():
        rows = [asdict(proof) for proof in hosts.list_(slug)]
    session.answer(rows, given.table(rows, ("host", "status", "record", "value")))


@host.command("prove")
@click.argument("slug")
@click.argument("name")
@session.options
def host_prove(slug: str, name: str) -> None:
    """Look for the record in the DNS; the host counts where it is there."""
    from idp.control import hosts

    with session.deployment():
        proof = asdict(hosts.prove(slug, name, session.actor()))
    session.answer(proof, given.lines(proof))


@host.command("remove")
@click.argument("slug")
@click.argument("name")
@session.options
def host_remove(slug: str, name: str) -> None:
    """Forget a host."""
    from idp.control import hosts

    with session.deployment():
        hosts.remove(slug, name, session.actor())
    session.answer({"host": name, "removed": True}, f"{name} is removed")


@command.group("issuer")
def issuer() -> None:
    """The address of a tenant, and its move to another one."""


@issuer.command("show")
@click.argument("slug")
@session.options
def issuer_show(slug: str) -> None:
    """Show the issuer; while it moves the other one too, since when, and which clients came by which."""
    from idp.control import issuers

    with session.deployment():
        found = issuers.show(slug)
    session.answer(asdict(found), lambda: _issuers(asdict(found)))


@issuer.command("move")
@click.argument("slug")
@click.option("--to", "url", metavar="URL", help="A proved host's address, or the one without a host.")
@click.option("--finish", is_flag=True, help="Leave the old address.")
@click.option("--cancel", is_flag=True, help="Give the move up.")
@session.options
def issuer_move(slug: str, url: str | None, finish: bool, cancel: bool) -> None:
    """Make another address an issuer beside the present one, until `--finish` or `--cancel`."""
    from idp.control import issuers

    if (finish and cancel) or (url is None and not (finish or cancel)):
        raise click.UsageError("give --to URL, and at most one of --finish and --cancel")
    with session.deployment():
        if not cancel:
            click.echo(
                f"Passkeys that stop when the move is finished: {issuers.show(slug).passkeys}", err=True
            )
        if finish:
            found = issuers.finish(slug, url, session.actor())
        elif cancel:
            found = issuers.cancel(slug, url, session.actor())
        else:
            found = issuers.begin(slug, str(url), session.actor())
    session.answer(asdict(found), lambda: _issuers(asdict(found)))


def _issuers(found: dict[str, Any]) -> str:
    clients = found.pop("clients")
    words = [given.lines(found)()]
    if clients:
        words += ["", given.table(clients, ("client_id", "old_at", "new_at"))()]
    return "\n".join(words)
