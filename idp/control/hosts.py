"""Operators' verbs for hosts of a tenant's own.

A host counts once its owner has put a token of ours into its DNS, belongs to one tenant, and changes nothing by
itself: the issuer stays what it is until it is moved. The record is looked at again daily.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from idp import audit, clock, config, directory, identifiers
from idp.audit import Actor, Event
from idp.control import dns_text, tenants
from idp.errors import Busy, Conflict, Invalid, NotFound
from idp.logs import log
from idp.store.database import transaction
from idp.store.durable import control_plane
from idp.store.durable import tenants as tenant_store
from idp.store.durable.control_plane import Host, Row
from idp.store.durable.tenants import Proved
from idp.tenants import current, entered

RECORD = "_idp-challenge"
VALUE = "idp-verify="
AGAIN = dt.timedelta(days=1)
"""How long a look at a host's record does."""
SOON = dt.timedelta(hours=1)
"""When to look again where the DNS did not answer."""
PATIENCE = dt.timedelta(days=3)
"""How long a record may be missing before the host counts no more."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the owner of a host must put into the DNS: a TXT record of this name and value."""

    host: str
    status: str
    record: str
    value: str


def checked(host: object) -> str:
    """A host that a tenant may have. Raises Invalid."""
    if not isinstance(host, str):
        raise Invalid("host must be a string.", rule="host")
    try:
        identifiers.host_name(host)
    except ValueError as problem:
        raise Invalid(f"host {problem}.", rule="host") from None
    settings = config.settings()
    ours = {settings.host.partition(":")[0], settings.domain or ""}
    if host.count(".") < 1 or host.rpartition(".")[2].isdigit():
        raise Invalid("host must be a full name in the DNS.", rule="host")
    if host in ours or (settings.domain and host.endswith(f".{settings.domain}")):
        raise Invalid("host is one of this provider itself.", rule="host")
    return host


def check_free(host: str, tenant: UUID | None) -> None:
    """Raises Conflict where the host is noted for another tenant; hosts are public knowledge."""
    if control_plane.owner_of(host) not in (None, tenant):
        raise Conflict("This host belongs to another tenant.", rule="host")


def add(slug: str, host: str, actor: Actor | None = None) -> Proof:
    """Note a host for a tenant; again is no mistake. Raises NotFound, Invalid, Conflict."""
    row = tenants.show(slug)
    checked(host)
    present = _find(row, host)
    if present is None:
        check_free(host, row.id)
        with entered(tenants.as_tenant(row)), transaction():
            audit.record(Event.HOST_ADDED, actor, host=host)
            present = control_plane.add_host(row.id, host)
        if present is None:
            raise Conflict("This host belongs to another tenant.", rule="host")
    return _proof(present)


def list_(slug: str) -> list[Proof]:
    """The hosts of a tenant, and what proves each. Raises NotFound."""
    return [_proof(host) for host in tenants.show(slug).hosts]


def prove(
    slug: str,
    host: str,
    actor: Actor | None = None,
    *,
    lookup: Callable[[str], Iterable[str]] = dns_text.lookup,
) -> Proof:
    """Look for the record in the DNS; the host counts from now on where it is there.

    Raises NotFound, Conflict where the record is not there, Busy where the DNS does not answer.
    """
    row = tenants.show(slug)
    present = _find(row, host)
    if present is None:
        raise NotFound("The tenant has no such host.", rule="host")
    proof = _proof(present)
    if proof.value not in lookup(proof.record):
        raise Conflict(f"The TXT record {proof.record} does not hold {proof.value}.", rule="host.proof")
    if not present.counts or present.missing_since is not None:
        with entered(tenants.as_tenant(row)), transaction():
            audit.record(Event.HOST_PROVED, actor, host=host)
            control_plane.set_host(row.id, host, "proved", clock.now())
        directory.forget(row.id)
    return Proof(host, "proved", proof.record, proof.value)


def look_again(lookup: Callable[[str], Iterable[str]] = dns_text.lookup) -> int:
    """Look once a day at the records of the entered tenant's hosts; how many count no more.

    One that has been missing for PATIENCE counts no more, unless it is an issuer: a slip in the DNS must not end
    every sign-in, so that is told in the log. An answer that did not come says nothing. Raises Busy.
    """
    if not current().hosts:
        return 0
    now = clock.now()
    return sum(_look_at(host, now, lookup) for host in tenant_store.hosts_looked_at_before(now - AGAIN))


def _look_at(host: Proved, now: dt.datetime, lookup: Callable[[str], Iterable[str]]) -> bool:
    tenant = current()
    try:
        there = f"{VALUE}{host.challenge}" in lookup(f"{RECORD}.{host.host}")
    except Busy:
        tenant_store.looked_at(host.host, now - AGAIN + SOON, host.missing_since)
        return False
    missing = None if there else host.missing_since or now
    with transaction():
        tenant_store.looked_at(host.host, now, missing)
        if missing is None or now - missing < PATIENCE:
            return False
        if f"https://{host.host}" in tenant.issuers:
            log(__name__).warning(
                "host.record_missing", tenant=tenant.slug, host=host.host, since=missing.isoformat()
            )
            return False
        if not tenant_store.lapse(host.host, now):
            return False
        audit.record(Event.HOST_LAPSED, host=host.host, missing_since=missing.isoformat())
    directory.forget(tenant.id)
    return True


def remove(slug: str, host: str, actor: Actor | None = None) -> None:
    """Forget a host. Raises NotFound, Conflict for one that is an issuer."""
    row = tenants.show(slug)
    if _find(row, host) is None:
        raise NotFound("The tenant has no such host.", rule="host")
    if host in (row.primary_host, row.moving_host):
        raise Conflict("This host is an issuer of the tenant.", rule="host")
    with entered(tenants.as_tenant(row)), transaction():
        audit.record(Event.HOST_REMOVED, actor, host=host)
        control_plane.drop_host(row.id, host)
    directory.forget(row.id)


def _find(row: Row, host: str) -> Host | None:
    return next((one for one in row.hosts if one.host == host), None)


def _proof(host: Host) -> Proof:
    status = "lapsed" if host.lapsed_at else host.status
    return Proof(host.host, status, f"{RECORD}.{host.host}", f"{VALUE}{host.challenge}")
