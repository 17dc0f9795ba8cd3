"""Which upstreams the sign-in page offers, and which one an address leads to; kept in memory by the tenant's version.

A domain leads somewhere by the tenant's configuration alone, whoever has an address in it: it tells nothing of people.
"""

from dataclasses import dataclass
from uuid import UUID

from idp import identifiers
from idp.federation import fields
from idp.memory import Recent
from idp.store.durable import upstreams
from idp.tenants import current


@dataclass(frozen=True, slots=True)
class Offer:
    """A way to sign in: its name in addresses, what its button says, its preset, and the domains that lead to it."""

    name: str
    display_name: str
    preset: str
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    offers: tuple[Offer, ...]


_kept: Recent[UUID, _Kept] = Recent(10_000)


def every() -> tuple[Offer, ...]:
    """What is offered, in the order that the tenant wants. Raises Unavailable."""
    tenant = current()
    kept = _kept.get(tenant.id)
    if kept is None or kept.version != tenant.version:
        kept = _kept.put(tenant.id, _Kept(tenant.version, _read()))
    return kept.offers


def _read() -> tuple[Offer, ...]:
    found = []
    for upstream in upstreams.every():
        how = fields.settings(upstream)
        if upstream.active:
            found.append((how.order, Offer(upstream.name, how.display_name, how.preset, how.domains)))
    return tuple(offer for _, offer in sorted(found, key=lambda each: (each[0], each[1].display_name)))


def for_address(address: str) -> Offer | None:
    """The upstream to which the domain of an e-mail address leads, or None."""
    key = identifiers.email_key(address)
    if key is None:
        return None
    domain = key.rpartition("@")[2]
    return next((offer for offer in every() if domain in offer.domains), None)


def by_domain() -> bool:
    """Whether any domain leads anywhere."""
    return any(offer.domains for offer in every())


def forget() -> None:
    """Forget what is kept: between tests."""
    _kept.clear()
