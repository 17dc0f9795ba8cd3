"""The public set of a tenant (RFC 7517 §5): every key that is published, and no private member ever."""

import datetime as dt
from typing import Any

from idp import clock
from idp.signing import cache, keys
from idp.store.durable.signing_keys import SigningKey

MEMBERS = ("kty", "crv", "x", "y", "n", "e")
"""The public members of RSA, EC and OKP keys (RFC 7518 §6, RFC 8037 §2): what is not named here stays inside."""


def public_jwk(key: SigningKey) -> dict[str, str]:
    """One key of the set, with `kid`, `use` and `alg` (RFC 7517 §4)."""
    members = {name: key.public[name] for name in MEMBERS if name in key.public}
    return {"kid": key.kid, "use": "sig", "alg": key.alg, **members}


def document() -> dict[str, Any]:
    """The set of the entered tenant at this moment, sorted by kid. Not to be changed by the caller."""
    return _present()[0]


def expires() -> dt.datetime | None:
    """The instant at which the set changes by the passing of time alone; None when it will not."""
    return _present()[2]


def _present() -> tuple[dict[str, Any], dt.datetime, dt.datetime | None]:
    kept = cache.load()
    now = clock.now()
    known = kept.document
    if known is not None and known[1] <= now and (known[2] is None or now < known[2]):
        return known
    listed = sorted(keys.published(kept.keys, now), key=lambda key: key.kid)
    made = ({"keys": [public_jwk(key) for key in listed]}, now, keys.next_change(kept.keys, now))
    kept.document = made
    return made
