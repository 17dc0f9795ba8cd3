"""Who still comes by the old address while a tenant moves: noted where tokens are given, once an hour a client.

Costs nothing while no tenant moves, and never an answer: it is written after the tokens were made.
"""

import datetime as dt
from uuid import UUID

from idp import clock
from idp.errors import Busy
from idp.memory import Recent
from idp.store.durable import issuer_uses
from idp.store.durable.clients import Client
from idp.tenants import current

EVERY = 3_600
"""Seconds for which one note of a client and an issuer does."""

LATER = 60
"""Seconds after which a note that could not be written is tried again."""

_next: Recent[tuple[UUID, UUID, str, dt.datetime | None], int] = Recent(10_000)


def note(client: Client) -> None:
    """Note that `client` was given tokens by the issuer of this request, if its tenant moves."""
    tenant = current()
    if tenant.also is None:
        return
    key = (tenant.id, client.id, tenant.issuer, tenant.moving_since)
    now = clock.epoch()
    if now < (_next.get(key) or 0):
        return
    try:
        issuer_uses.note(client.id, tenant.issuer, clock.now())
        _next.put(key, now + EVERY)
    except Busy:
        _next.put(key, now + LATER)
