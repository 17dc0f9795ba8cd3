"""Fetching what lies at a client's `sector_identifier_uri`, before the client is kept.

What was found good is remembered for a moment, so that a verb can look before it begins a transaction and check in it.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from idp import clock, lanes, outbound
from idp.errors import InvalidClientMetadata
from idp.memory import Recent
from idp.registration import sectors
from idp.tenants import current

NAME = "sector_identifier_uri"
KINDS = ("application/json",)
LARGEST = 262_144
GOOD_FOR = 60.0
"""Seconds for which a document that was looked at need not be looked at again."""

_good: Recent[tuple[UUID, str, frozenset[str]], float] = Recent(1_000)


def check(new: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> None:
    """Hold a client's metadata to its sector's document. Raises InvalidClientMetadata, Busy.

    `old`: as it is registered; where neither the address nor a redirect URI is new, nobody is asked.
    """
    uri, redirects = new.get(NAME), new.get("redirect_uris", [])
    if not isinstance(uri, str) or not isinstance(redirects, list):
        return  # absent, or for the validator to refuse
    if old is not None and old.get(NAME) == uri and set(redirects) <= set(old.get("redirect_uris", [])):
        return
    key = current().id, uri, frozenset(map(str, redirects))
    known = _good.get(key)
    if known is None or clock.monotonic() > known:
        sectors.listed(_fetched(uri), redirects)
        _good.put(key, clock.monotonic() + GOOD_FOR)


def _fetched(uri: str) -> Any:
    try:
        with outbound.PLACES.one(), lanes.left():
            return json.loads(outbound.get(uri, KINDS, LARGEST).body)
    except (outbound.NotSent, ValueError, RecursionError) as problem:
        raise InvalidClientMetadata(
            f"{NAME} cannot be read.", rule=NAME, expected="a JSON array of strings", got=str(problem)[:200]
        ) from None
