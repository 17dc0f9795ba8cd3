"""Whether a tenant's sealed keys open, and are the other halves of what is published."""

from typing import Any

from idp.signing import cache, envelope, ring
from idp.signing.jwks import MEMBERS
from idp.store.durable import signing_keys
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import current


def look() -> tuple[int, list[str]]:
    """How many of the entered tenant's keys do, and a sentence for each that does not. Raises Busy."""
    good, broken = 0, []
    for row in signing_keys.all_keys():
        if row.sealed:
            why = _wrong(row)
            good += not why
            broken += [f"key {row.kid} {why}"] if why else []
    return good, broken


def _wrong(row: SigningKey) -> str:
    try:
        der = ring.ring().unwrap(row.kek_id, row.sealed, current().id, row.kid)
    except (envelope.Unsealable, ring.UnknownRingKey) as problem:
        return f"does not open: {problem}"
    private: Any = envelope.from_der(der)
    made = cache.describe(private.public_key())
    same = all(made.get(name) == value for name, value in row.public.items() if name in MEMBERS)
    return "" if same else "is not the other half of what is published"
