"""Fetching what lies at a client's `sector_identifier_uri`, before the client is kept.

What was found good is remembered for a moment, so that a verb can look before it begins a transaction and check in it.
"""

import json
from collections.abc import Mapping
from typing import Any

from idp.errors import InvalidClientMetadata
from idp.fetching import AGAIN, Memory, Rules, Wanted
from idp.registration import sectors

NAME = "sector_identifier_uri"
KINDS = ("application/json",)
LARGEST = 262_144
GOOD_FOR = 60.0
"""Seconds for which a document that was looked at need not be looked at again, unless a redirect URI is not in it."""

_DOCUMENTS: Memory[list[str]] = Memory(
    Rules(NAME, KINDS, LARGEST, least=GOOD_FOR, usual=GOOD_FOR, most=GOOD_FOR, storm=AGAIN), most=1_000
)


def check(new: Mapping[str, Any], old: Mapping[str, Any] | None = None, *, vouched: bool = True) -> None:
    """Hold a client's metadata to its sector's document. Raises InvalidClientMetadata, Busy, TooMany.

    `old`: as it is registered; where neither the address nor a redirect URI is new, nobody is asked.
    `vouched`: an operator asks.
    """
    uri, redirects = new.get(NAME), new.get("redirect_uris", [])
    if not isinstance(uri, str) or not isinstance(redirects, list):
        return  # absent, or for the validator to refuse
    if old is not None and old.get(NAME) == uri and set(redirects) <= set(old.get("redirect_uris", [])):
        return
    missing = frozenset(map(str, redirects)).difference
    found = _DOCUMENTS.get(
        Wanted(uri, uri, _read, vouched=vouched, lacks=lambda listed: bool(missing(listed)), always=True)
    )
    if found.value is None:
        raise InvalidClientMetadata(
            f"{NAME} cannot be read.", rule=NAME, expected="a JSON array of strings", got=found.why
        )
    sectors.listed(found.value, redirects)


def _read(body: bytes) -> list[str]:
    return sectors.document(json.loads(body))


def forget() -> None:
    """Forget what was read: between tests."""
    _DOCUMENTS.forget()
