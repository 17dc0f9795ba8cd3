"""The public set of a tenant (RFC 7517 §5): every key that is published, and no private member ever."""

import datetime as dt
from typing import Any

from idp import clock
from idp.signing import cache, keys
from idp.store.durable.signing_keys import SigningKey

MEMBERS = ("kty", "crv", "x", "y", "n", "e")
"""The public members of RSA, EC and OKP keys (RFC 7518 §6, RFC 8037 §2): what is not named here stays inside."""


def public_jwk(key: SigningKey) -> dict[str, str]:
    """One key of the set, with `kid`, `use` and `alg` (RFC 7517 §4).

    An elliptic curve key for encryption names no `alg`, since it serves several.
    """
    members = {name: key.public[name] for name in MEMBERS if name in key.public}
    if key.alg == "ECDH-ES":
        return {"kid": key.kid, "use": "enc", **members}
    use = "enc" if key.alg in keys.ENCRYPTION else "sig"
    return {"kid": key.kid, "use": use, "alg": key.alg, **members}


def document() -> dict[str, Any]:
    """The set of the entered tenant at this moment, sorted by kid."""
    listed = sorted(keys.published(cache.load().keys, clock.now()), key=lambda key: key.kid)
    return {"keys": [public_jwk(key) for key in listed]}


def expires() -> dt.datetime | None:
    """The instant at which the set changes by the passing of time alone; None when it will not."""
    return keys.next_change(cache.load().keys, clock.now())
