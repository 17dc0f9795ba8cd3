"""A client's public keys: registered by value, or served by itself at its `jwks_uri` (RFC 7591 §2).

What is served is looked at anew when it is old, or when a key is named that it does not hold: a client may change its
keys without telling anybody. Whoever names keys that do not exist makes us ask at most once in STORM seconds; a client
that does not answer keeps the keys that it had for a day.
"""

import json
from typing import Any
from uuid import UUID

from idp.fetching import AGAIN as AGAIN
from idp.fetching import STORM as STORM
from idp.fetching import Memory, Rules, Wanted
from idp.registration import keys
from idp.store.durable.clients import Client

KINDS = ("application/json", "application/jwk-set+json")
LARGEST = 65_536
STALE = 86_400
"""Seconds for which the keys of a client that does not answer any more go on counting."""

_NONE: dict[str, Any] = {"keys": []}
_SERVED: Memory[dict[str, Any]] = Memory(
    Rules(
        "jwks_uri",
        KINDS,
        LARGEST,
        least=60,
        usual=300,
        most=86_400,
        storm=STORM,
        stale=STALE,
        wrong_ends=False,
    )
)


def of(client: Client, kid: str | None) -> dict[str, Any]:
    """The client's set of public keys (RFC 7517), as it is to be looked in for the key `kid`. Raises Busy, TooMany."""
    uri = client.metadata.get("jwks_uri")
    if uri is None:
        registered = client.metadata.get("jwks")
        return registered if isinstance(registered, dict) else _NONE
    return served(client.id, str(uri), kid, vouched=not client.setting("dynamic"))


def served(owner: UUID, uri: str, kid: str | None, *, vouched: bool) -> dict[str, Any]:
    """The set that lies at `uri`, which is `owner`'s, as it is to be looked in for the key `kid`.

    `vouched`: an operator vouches for the owner. Raises Busy, TooMany.
    """
    found = _SERVED.get(
        Wanted(
            owner, uri, _read, vouched=vouched, lacks=lambda jwks: kid is not None and not _holds(jwks, kid)
        )
    )
    return _NONE if found.value is None else found.value


def _holds(jwks: dict[str, Any], kid: str) -> bool:
    return any(key.get("kid") == kid for key in jwks["keys"])


def _read(body: bytes) -> dict[str, Any]:
    return keys.usable(json.loads(body))


def forget() -> None:
    """Forget what was served: between tests."""
    _SERVED.forget()
