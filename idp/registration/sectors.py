"""Sectors: which applications know a person by the same pairwise `sub` (OpenID Connect Core 1.0 section 8.1).

A sector is a host: that of `sector_identifier_uri`, whose document names the redirect URIs of everyone in it, or else
the one that all redirect URIs of the client share.
"""

from collections.abc import Mapping
from typing import Any

from idp import urls
from idp.errors import InvalidClientMetadata

PAIRWISE = "pairwise"
MOST = 1_000
"""Redirect URIs in one document."""


def pairwise(metadata: Mapping[str, Any]) -> bool:
    """Whether a client knows people by a `sub` of its sector's own."""
    return metadata.get("subject_type") == PAIRWISE


def sector(metadata: Mapping[str, Any]) -> str:
    """The host that is the sector of a pairwise client. Raises ValueError where there is not exactly one."""
    named = metadata.get("sector_identifier_uri")
    places = [urls.parse(uri) for uri in ([named] if named else metadata.get("redirect_uris", ()))]
    hosts = {place.host for place in places}
    if len(hosts) != 1 or "" in hosts or (not named and any(place.loopback for place in places)):
        raise ValueError(
            "must be there where redirect_uris are not all of one host, or of everybody's own machine"
        )
    return hosts.pop()


def document(read: object) -> list[str]:
    """A sector's document, when it is one. Raises InvalidClientMetadata for what is not a list of strings."""
    if not isinstance(read, list) or not all(isinstance(each, str) for each in read):
        raise _wrong("must serve a JSON array of strings")
    if len(read) > MOST:
        raise _wrong(f"must serve at most {MOST} addresses")
    return read


def listed(document: list[str], redirect_uris: list[str]) -> None:
    """Hold a sector's document to what a client registers (OpenID Connect Registration 1.0 section 5).

    Raises InvalidClientMetadata when it leaves a redirect URI out.
    """
    if not set(redirect_uris) <= set(document):
        raise _wrong("must list every redirect URI of the client")


def _wrong(clause: str) -> InvalidClientMetadata:
    name = "sector_identifier_uri"
    return InvalidClientMetadata(f"{name} {clause}.", rule=name, expected=clause)
