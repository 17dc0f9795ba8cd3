"""Operators' verbs for moving a tenant to another address.

While it moves both addresses are issuers, each for those who come by it; codes do not cross, refresh tokens do,
and access tokens of either are good at both. The move is finished, or cancelled, by a command of its own, so that
every application can be told of the new issuer in its own time.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp import audit, clock, directory
from idp.audit import Actor, Event
from idp.control import tenants
from idp.errors import Conflict, Invalid
from idp.store.database import transaction
from idp.store.durable import apis, control_plane, issuer_uses
from idp.store.durable import passkeys as passkey_rows
from idp.store.durable.control_plane import Row
from idp.tenants import entered


@dataclass(frozen=True, slots=True)
class Client:
    """When a client was last given tokens as of the old and the new issuer; None: not since the move began."""

    client_id: str
    old_at: dt.datetime | None
    new_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Issuers:
    """The issuer of a tenant, the one that it moves to since `since`, and who came by which."""

    issuer: str
    moving_to: str | None
    since: dt.datetime | None
    passkeys: int
    """How many passkeys stop when the address changes: each is bound to the host where it was made."""
    clients: tuple[Client, ...]


def show(slug: str) -> Issuers:
    """The issuers of a tenant. Raises NotFound."""
    row = tenants.show(slug)
    tenant = tenants.as_tenant(row)
    with entered(tenant), transaction(readonly=True):
        passkeys = passkey_rows.count()
        uses = issuer_uses.every() if tenant.also else ()
    by: dict[str, dict[str, dt.datetime]] = {}
    for use in uses:
        by.setdefault(use.client_id, {})[use.issuer] = use.last_at
    found = (Client(name, at.get(tenant.issuer), at.get(str(tenant.also))) for name, at in by.items())
    clients = tuple(sorted(found, key=lambda one: (one.old_at is None, one.client_id)))
    return Issuers(tenant.issuer, tenant.also, row.moving_since, passkeys, clients)


def begin(slug: str, url: str, actor: Actor | None = None) -> Issuers:
    """Make `url` an issuer beside the present one; again is no mistake.

    Raises NotFound, Invalid for what is no address of the tenant, Conflict where it is the issuer already, moves
    elsewhere, or has an API of that name.
    """
    row = tenants.show(slug)
    host = _host(row, url)
    tenant = tenants.as_tenant(row)
    if url == tenant.issuer:
        raise Conflict(f"{url} is the issuer already.", rule="issuer")
    if tenant.also == url:
        return show(slug)
    if tenant.also is not None:
        raise Conflict(
            f"The tenant moves to {tenant.also}; finish or cancel that first.", rule="issuer.moving"
        )
    with entered(tenant):
        if any(api.identifier == url for api in apis.every()):
            raise Conflict("An API has this identifier.", rule="issuer.api")
    changes = {"moving_host": host, "moving_since": clock.now()}
    _write(row, changes, Event.ISSUER_MOVE_BEGUN, {"issuer": tenant.issuer, "to": url}, actor)
    return show(slug)


def finish(slug: str, url: str | None = None, actor: Actor | None = None) -> Issuers:
    """Leave the old address: the new one is the only issuer from now on. Raises NotFound, Conflict."""
    row = _moving(slug, url)
    tenant = tenants.as_tenant(row)
    changes = {"primary_host": row.moving_host, "moving_host": None, "moving_since": None}
    _write(row, changes, Event.ISSUER_MOVED, {"issuer": tenant.also, "from": tenant.issuer}, actor)
    return show(slug)


def cancel(slug: str, url: str | None = None, actor: Actor | None = None) -> Issuers:
    """Give the move up: the old address is the only issuer again. Raises NotFound, Conflict."""
    row = _moving(slug, url)
    tenant = tenants.as_tenant(row)
    changes = {"moving_host": None, "moving_since": None}
    _write(row, changes, Event.ISSUER_MOVE_CANCELLED, {"issuer": tenant.issuer, "to": tenant.also}, actor)
    return show(slug)


def _moving(slug: str, url: str | None) -> Row:
    row = tenants.show(slug)
    to = tenants.as_tenant(row).also
    if to is None or url not in (None, to):
        raise Conflict(
            f"The tenant {slug} does not move{'' if url is None else f' to {url}'}.", rule="issuer.moving"
        )
    return row


def _host(row: Row, url: str) -> str | None:
    """The host whose address `url` is, None for the address without a host of its own. Raises Invalid."""
    known: dict[str, str | None] = {directory.issuer_of(row.slug, None): None}
    known |= {directory.issuer_of(row.slug, host.host): host.host for host in row.hosts if host.counts}
    if url not in known:
        raise Invalid(
            f"to must be a proved host's or the tenant's own address: {', '.join(known)}.", rule="to", got=url
        )
    return known[url]


def _write(
    row: Row, changes: dict[str, Any], event: Event, facts: Mapping[str, Any], actor: Actor | None
) -> None:
    with entered(tenants.as_tenant(row)), transaction():
        issuer_uses.clear()
        audit.record(event, actor, **facts)
        control_plane.change({row.id: changes})
    directory.forget(row.id)
