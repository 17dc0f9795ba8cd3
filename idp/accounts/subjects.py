"""What a client calls a person: `sub` (OpenID Connect Core 1.0 §8).

The same for every client, or, for a client that is `pairwise`, one that only those of its sector share, so that two
sectors cannot tell that they speak of one person. It is made from the person's id, which is never given to another,
with a salt of the tenant's that is made once and never changes.
"""

import hashlib
import hmac
import os
from uuid import UUID

from idp.ids import b64
from idp.memory import Recent
from idp.registration import sectors
from idp.store.durable import subject_salts
from idp.store.durable.clients import Client
from idp.tenants import current

_salts: Recent[UUID, bytes] = Recent(10_000)


def of(client: Client, user_id: UUID) -> str:
    """The `sub` by which a client of the entered tenant knows a person."""
    if client.platform_issuer:
        return b64(hmac.new(_salt(), _platforms(client, user_id), hashlib.sha256).digest())
    if not sectors.pairwise(client.metadata):
        return str(user_id)
    told = b"idp pairwise sub\x00" + sectors.sector(client.metadata).encode() + b"\x00" + user_id.bytes
    return b64(hmac.new(_salt(), told, hashlib.sha256).digest())


def _platforms(client: Client, user_id: UUID) -> bytes:
    """What names a person of the entered tenant at the platform's issuer: whoever has a twin elsewhere has another.

    The same for all its applications, or for those of one sector.
    """
    sector = sectors.sector(client.metadata) if sectors.pairwise(client.metadata) else ""
    return b"idp platform sub\x00" + sector.encode() + b"\x00" + current().id.bytes + user_id.bytes


def prepare(client: Client) -> None:
    """Make the tenant's salt with its first client that needs it, in the caller's transaction."""
    if client.platform_issuer or sectors.pairwise(client.metadata):
        subject_salts.add(os.urandom(32))


def _salt() -> bytes:
    known = _salts.get(current().id)
    if known is not None:
        return known
    kept = subject_salts.find()
    if kept is None:
        raise LookupError("a client that needs it has come into being without the tenant's salt")
    return _salts.put(current().id, kept)
