"""Operators' verbs for signing keys and for the ring that seals them. Each change leaves its audit events.

Rotation itself records in the tenant's audit; what is done to the ring is recorded in every tenant whose
keys were sealed anew.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

from idp import clock
from idp.config import ConfigError, Settings
from idp.control import schema, tenants
from idp.control.tenants import as_tenant, show
from idp.errors import Conflict, NotFound
from idp.federation import secrets
from idp.mail import senders
from idp.signing import persons, ring, rotation
from idp.signing.keys import state
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Tenant, entered

Listed = list[dict[str, str | None]]


def listing(slug: str) -> Listed:
    """A tenant's keys with their states and times. Raises NotFound."""
    with entered(as_tenant(show(slug))):
        return [_told(key) for key in rotation.listing()]


def rotate(slug: str, alg: str | None = None, *, now: bool = False) -> Listed:
    """Replace the active key for one algorithm, or for each that the tenant has. Raises NotFound."""
    with entered(as_tenant(show(slug))):
        rotation.rotate(alg, now=now)
    return listing(slug)


def revoke(slug: str, kid: str) -> Listed:
    """Void a key and all that it signed. Raises NotFound, Conflict when it is revoked or gone already."""
    with entered(as_tenant(show(slug))):
        rotation.revoke(kid)
    return listing(slug)


def ring_listing(settings: Settings) -> list[dict[str, Any]]:
    """The keys of the ring, without their bytes, and how many signing keys each seals."""
    held, sealed = ring.load(settings), _sealed()
    return [
        {
            "id": key.id,
            "created_at": key.created_at.isoformat(),
            "seals": sealed[key.id],
            "newest": key == held.newest,
        }
        for key in held.keys
    ]


def ring_add(settings: Settings) -> dict[str, Any]:
    """Add a key to the ring and seal every tenant's keys under it.

    Postgres learns the new context key before the ring's place holds the new key, so that a process which
    starts in between is let in either way. Interrupted, it is finished by the same command. Raises ConfigError.
    """
    source, former = ring.driver(settings), ring.load(settings)
    renewed = ring.added(former)
    if settings.migrator_database_url is None:
        raise ConfigError(
            "IDP_MIGRATOR_DATABASE_URL", "is missing; a new ring key must be made known to Postgres"
        )
    schema.upgrade(settings, renewed)
    ring.save(source, renewed)
    ring.use(renewed)
    resealed = 0
    for tenant in _every():
        with entered(tenant):
            resealed += rotation.rewrap() + persons.rewrap() + secrets.rewrap() + senders.rewrap()
    return {"id": renewed.newest.id, "resealed": resealed}


def ring_drop(settings: Settings, ring_id: str) -> None:
    """Drop a key of the ring that seals nothing any more. Raises NotFound, Conflict, ConfigError."""
    held = ring.load(settings)
    try:
        left = ring.dropped(held, ring_id)
    except ring.UnknownRingKey:
        raise NotFound("There is no such key on the ring.") from None
    except ValueError as problem:
        raise Conflict(str(problem)) from None
    if _sealed()[ring_id]:
        raise Conflict("This key still seals keys or secrets of tenants; idp keys ring add seals them anew.")
    ring.save(ring.driver(settings), left)
    ring.use(left)
    if settings.migrator_database_url is not None:
        schema.upgrade(settings, left)


def _told(key: SigningKey) -> dict[str, str | None]:
    times: dict[str, dt.datetime | None] = {
        name: getattr(key, name)
        for name in ("created_at", "publish_at", "activate_at", "retire_at", "gone_at", "revoked_at")
    }
    return {
        "kid": key.kid,
        "alg": key.alg,
        "state": state(key, clock.now()).value,
        **{
            name: time.astimezone(dt.UTC).isoformat(timespec="seconds") if time else None
            for name, time in times.items()
        },
    }


def _sealed() -> Counter[str]:
    counts: Counter[str] = Counter()
    for tenant in _every():
        with entered(tenant):
            counts.update(key.kek_id for key in rotation.listing() if key.sealed)
            counts.update(persons.sealed_by())
            counts.update(secrets.sealed_by())
            counts.update(senders.sealed_by())
    return counts


def _every() -> Iterator[Tenant]:
    after: str | None = None
    while page := tenants.list_(100, after):
        yield from (as_tenant(row) for row in page)
        after = page[-1].slug
