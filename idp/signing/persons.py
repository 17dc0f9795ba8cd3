"""What is recorded of a person, and the secrets that they prove themselves with: sealed under a key of their own.

The key goes with them. Owns the opened keys and the form of what is sealed. Leaves what counts as personal to
`idp.audit`, and the rows to `idp.store.durable.person_keys`.
"""

import json
import os
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from idp.ids import b64, unb64
from idp.signing import cache, envelope, ring
from idp.store.database import transaction
from idp.store.durable import person_keys
from idp.store.durable.person_keys import PersonKey
from idp.tenants import current

AUDIT = b"idp audit row"
"""The purpose of what the record holds."""
PORTION = 500
"""Keys that are sealed anew in one transaction."""


def seal(user_id: UUID, values: Mapping[str, Any], row: UUID, purpose: bytes = AUDIT) -> str | None:
    """`values` of a person of the entered tenant, to stand in the row `row` for `purpose` and open nowhere else.

    None where there is no such person any more. The first value of a person makes their key.
    """
    key = _key(user_id, make=True)
    if key is None:
        return None
    plain = json.dumps(values, separators=(",", ":")).encode()
    return b64(envelope.seal(key, plain, _bound(row, purpose)))


def open_(user_id: UUID, sealed: str, row: UUID, purpose: bytes = AUDIT) -> dict[str, Any] | None:
    """What was sealed; None once the person, and with them their key, is gone. Raises Unsealable."""
    key = _key(user_id, make=False)
    if key is None:
        return None
    opened: dict[str, Any] = json.loads(envelope.open_(key, unb64(sealed), _bound(row, purpose)))
    return opened


def rewrap() -> int:
    """Seal the keys of the entered tenant's people under the newest key of the ring; how many were not yet."""
    root, tenant, done = ring.ring(), current(), 0
    while True:
        with transaction():
            rows = person_keys.under_others(root.newest.id, PORTION)
            for row in rows:
                person_keys.reseal(row.user_id, *root.wrap(_opened(row), tenant.id, _name(row.user_id)))
        done += len(rows)
        if len(rows) < PORTION:
            return done


def sealed_by() -> dict[str, int]:
    """How many keys of the entered tenant's people each ring key seals."""
    return person_keys.sealed_by()


def _key(user_id: UUID, make: bool) -> bytes | None:
    name = (current().id, user_id)
    # To read is seldom, and asks Postgres: what was erased elsewhere is erased here.
    known = cache.persons.get(name) if make else None
    if known is not None:
        return known
    row = person_keys.find(user_id)
    if row is None and make:
        fresh = ring.ring().wrap(os.urandom(32), current().id, _name(user_id))
        row = person_keys.add(user_id, *fresh)
    if row is None:
        return None
    key = _opened(row)
    # One that this transaction has made may yet be rolled back.
    return cache.persons.put(name, key) if row.lasting else key


def _opened(row: PersonKey) -> bytes:
    return ring.holding(row.kek_id).unwrap(row.kek_id, row.sealed, current().id, _name(row.user_id))


def _name(user_id: UUID) -> str:
    return f"person {user_id}"


def _bound(row: UUID, purpose: bytes) -> bytes:
    return purpose + b"\x00" + current().id.bytes + row.bytes
