"""A client's public keys: registered by value, or served by itself at its `jwks_uri` (RFC 7591 §2).

What is served is kept in memory and looked at anew when it is old, or when a key is named that it does not hold: a
client may change its keys without telling anybody. Whoever names keys that do not exist makes us ask at most once
in AGAIN seconds; a client that does not answer keeps the keys that it had (RFC 5861 §4).
"""

import json
import threading
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from idp import clock, lanes, outbound
from idp.logs import log
from idp.memory import Recent
from idp.registration import keys
from idp.store.durable.clients import Client

AGAIN = 10.0
"""Seconds between two looks at one address, whatever is asked."""
LEAST, USUAL, MOST = 60, 300, 86_400
"""Seconds for which a set is kept: its owner's max-age within bounds; where it says nothing, USUAL."""
LARGEST = 65_536
KINDS = ("application/json", "application/jwk-set+json")
AT_ONCE = 4
"""Sets that a process asks for at once; where more are due, the keys of before serve."""

_NONE: dict[str, Any] = {"keys": []}


@dataclass(frozen=True, slots=True)
class _Served:
    uri: str
    jwks: dict[str, Any]
    until: float
    asked: float


_kept: Recent[UUID, _Served] = Recent(10_000)
_places = threading.BoundedSemaphore(AT_ONCE)


def of(client: Client, kid: str | None) -> dict[str, Any]:
    """The client's set of public keys (RFC 7517), as it is to be looked in for the key `kid`."""
    uri = client.metadata.get("jwks_uri")
    if uri is None:
        registered = client.metadata.get("jwks")
        return registered if isinstance(registered, dict) else _NONE
    kept = _kept.get(client.id)
    if kept is not None and kept.uri != uri:
        kept = None
    if kept is not None and not _due(kept, kid):
        return kept.jwks
    return _asked(client.id, str(uri), kept)


def _due(kept: _Served, kid: str | None) -> bool:
    now = clock.monotonic()
    if now < kept.asked + AGAIN:
        return False
    held = kid is None or any(key.get("kid") == kid for key in kept.jwks["keys"])
    return now >= kept.until or not held


def _asked(client: UUID, uri: str, former: _Served | None) -> dict[str, Any]:
    jwks = former.jwks if former is not None else _NONE
    if not _places.acquire(blocking=False):
        return jwks
    try:
        with lanes.left():
            document = outbound.get(uri, KINDS, LARGEST)
        jwks = keys.usable(json.loads(document.body))
        age = min(max(document.max_age if document.max_age is not None else USUAL, LEAST), MOST)
    except (outbound.NotSent, ValueError, RecursionError) as problem:
        log(__name__).warning("jwks_uri.not_read", client=str(client), why=str(problem)[:200])
        age = LEAST
    finally:
        _places.release()
    now = clock.monotonic()
    _kept.put(client, _Served(uri, jwks, now + age, now))
    return jwks


def forget() -> None:
    """Forget what was served: between tests."""
    _kept.clear()
