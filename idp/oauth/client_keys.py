"""A client's public keys: registered by value, or served by itself at its `jwks_uri` (RFC 7591 §2).

What is served is kept in memory and looked at anew when it is old, or when a key is named that it does not hold: a
client may change its keys without telling anybody. Whoever names keys that do not exist makes us ask at most once
in AGAIN seconds; a client that does not answer keeps the keys that it had for a day
(RFC 5861 §4).
"""

import json
import threading
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from idp import clock, lanes, outbound
from idp.errors import Busy
from idp.logs import log
from idp.memory import Recent
from idp.registration import keys
from idp.store.database import working
from idp.store.durable.clients import Client

STORM = 60.0
"""Seconds for which a set that was read is not read anew, whatever keys are named that it does not hold."""
AGAIN = 10.0
"""Seconds between two looks at one address, whatever is asked."""
LEAST, USUAL, MOST = 60, 300, 86_400
"""Seconds for which a set is kept: its owner's max-age within bounds; where it says nothing, USUAL."""
LARGEST = 65_536
KINDS = ("application/json", "application/jwk-set+json")
STALE = 86_400
"""Seconds for which the keys of a client that does not answer any more go on counting."""
PATIENCE = 1.0
"""Seconds for which somebody waits for a set that is being asked for already, and of which nothing is known."""

_NONE: dict[str, Any] = {"keys": []}


@dataclass(frozen=True, slots=True)
class _Served:
    uri: str
    jwks: dict[str, Any]
    until: float
    asked: float
    good: float
    """When its owner last answered."""


_kept: Recent[UUID, _Served] = Recent(10_000)
_going: dict[UUID, threading.Event] = {}
_lock = threading.Lock()


def of(client: Client, kid: str | None) -> dict[str, Any]:
    """The client's set of public keys (RFC 7517), as it is to be looked in for the key `kid`."""
    uri = client.metadata.get("jwks_uri")
    if uri is None:
        registered = client.metadata.get("jwks")
        return registered if isinstance(registered, dict) else _NONE
    return served(client.id, str(uri), kid)


def served(owner: UUID, uri: str, kid: str | None) -> dict[str, Any]:
    """The set that lies at `uri`, which is `owner`'s, as it is to be looked in for the key `kid`. Raises Busy."""
    kept = _kept.get(owner)
    if kept is not None and kept.uri != uri:
        kept = None
    if kept is not None and not _due(kept, kid):
        return kept.jwks
    if working():  # nobody outside is waited for in a transaction: what is known is all there is
        return _NONE if kept is None else kept.jwks
    return _asked(owner, uri, kept, kid)


def _due(kept: _Served, kid: str | None) -> bool:
    now = clock.monotonic()
    if now < kept.asked + (AGAIN if kept.good < kept.asked else STORM):
        return False
    return now >= kept.until or not _holds(kept, kid)


def _holds(kept: _Served, kid: str | None) -> bool:
    return kid is None or any(key.get("kid") == kid for key in kept.jwks["keys"])


def _asked(client: UUID, uri: str, former: _Served | None, kid: str | None) -> dict[str, Any]:
    """The set, asked for by one thread at a time.

    Raises Busy when nothing is known of it, or not the key that is named, and nobody can ask now.
    """
    mine, going = _begin(client)
    if mine:
        try:
            return _fetched(client, uri, former).jwks
        finally:
            _end(client)
    if former is not None and _holds(former, kid):
        return former.jwks
    with lanes.left():
        done = going is not None and going.wait(PATIENCE)
    kept = _kept.get(client)
    if not done or kept is None:
        raise Busy(rule="jwks_uri.places", expected=outbound.PLACES.at_once, retry_after=1)
    return kept.jwks


def _begin(client: UUID) -> tuple[bool, threading.Event | None]:
    """Whether this thread is to ask; else what tells that another one has."""
    with _lock:
        if client in _going:
            return False, _going[client]
        if not outbound.PLACES.take():
            return False, None
        _going[client] = threading.Event()
        return True, None


def _end(client: UUID) -> None:
    with _lock:
        _going.pop(client).set()
    outbound.PLACES.give_back()


def _fetched(client: UUID, uri: str, former: _Served | None) -> _Served:
    began = clock.monotonic()
    jwks = former.jwks if former is not None and began < former.good + STALE else _NONE
    good, age = former.good if former is not None else began, float(LEAST)
    try:
        with lanes.left():
            document = outbound.get(uri, KINDS, LARGEST)
        jwks, good = keys.usable(json.loads(document.body)), clock.monotonic()
        age = min(max(document.max_age if document.max_age is not None else USUAL, LEAST), MOST)
    except (outbound.NotSent, ValueError, RecursionError) as problem:
        log(__name__).warning("jwks_uri.not_read", client=str(client), why=str(problem)[:200])
    now = max(clock.monotonic(), good)
    asked = good if good > began else now
    return _kept.put(client, _Served(uri, jwks, now + age, asked, good))


def forget() -> None:
    """Forget what was served: between tests."""
    _kept.clear()
