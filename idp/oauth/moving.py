"""Who still comes by the old address while a tenant moves: noted where tokens are given, once an hour a client.

Costs nothing while no tenant moves, and never an answer: it is written after the tokens were made.
"""

import datetime as dt
from uuid import UUID

from idp import clock
from idp.directory import Bounded
from idp.errors import Busy
from idp.store.durable import issuer_uses
from idp.store.durable.clients import Client
from idp.tenants import current

EVERY = 3_600
"""Seconds for which one note of a client and an issuer does."""

_noted: Bounded[tuple[UUID, UUID, str, dt.datetime | None], int] = Bounded(10_000)


def note(client: Client) -> None:
    """Note that `client` was given tokens by the issuer of this request, if its tenant moves."""
    tenant = current()
    if tenant.also is None:
        return
    key = (tenant.id, client.id, tenant.issuer, tenant.moving_since)
    now = clock.now()
    known = _noted.get(key)
    if known is not None and int(now.timestamp()) - known < EVERY:
        return
    try:
        issuer_uses.note(client.id, tenant.issuer, now)
    except Busy:
        return
    _noted.put(key, int(now.timestamp()))
