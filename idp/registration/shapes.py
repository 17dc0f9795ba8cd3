"""What one member of client metadata may hold: each shape takes a value and gives it back in its one spelling.

A shape raises ValueError with a clause that goes behind the member's name.
"""

import re
from collections.abc import Callable
from typing import Any

from idp import identifiers, urls
from idp.signing import jwe, parts
from idp.tenants import current as current_tenant

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
MOST_URIS = 50  # of one kind

_FRAGMENT = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_VERSION = re.compile(r"[!-~]{1,64}", re.ASCII)


def text(value: object) -> str:
    """A text that people may read."""
    return identifiers.text(value)


def page(value: object) -> str:
    """A page on the web."""
    return urls.web_url(value, loopback=True).text if _local(value) else urls.web_url(value).text


def _local(value: object) -> bool:
    """http on this machine is for a tenant that lives on it itself (development)."""
    return current_tenant().local and isinstance(value, str)


def one_of(allowed: tuple[str, ...]) -> Callable[[object], str]:
    """One of a few words."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return check


def algorithm(value: object) -> str:
    """A signature algorithm that is spoken here."""
    return one_of(ALGORITHMS)("EdDSA" if value == "Ed25519" else value)


def key_encryption(value: object) -> str:
    """An algorithm with which content keys are encrypted (RFC 7518 section 4)."""
    return one_of(jwe.ALGORITHMS)(value)


def content_encryption(value: object) -> str:
    """An algorithm with which content is encrypted (RFC 7518 section 5)."""
    return one_of(jwe.CONTENT)(value)


def several(check: Callable[[object], Any], most: int = MOST_URIS) -> Callable[[object], list[Any]]:
    """A list of what `check` takes, each once."""

    def each(value: object) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list")
        if len(value) > most:
            raise ValueError(f"must have at most {most} members")
        checked = [check(member) for member in value]
        return [member for index, member in enumerate(checked) if member not in checked[:index]]

    return each


def uri(value: object) -> str:
    """Only that it is text: whether it may be a redirect URI depends on application_type and is asked later."""
    if not isinstance(value, str):
        raise ValueError("must be a list of strings")
    return value


def with_fragment(check: Callable[[object], str]) -> Callable[[object], str]:
    """What `check` takes, or that with a fragment of base64url behind it (OpenID Connect Core 1.0 section 6.2)."""

    def either(value: object) -> str:
        place, mark, fragment = value.partition("#") if isinstance(value, str) else (value, "", "")
        if mark and not _FRAGMENT.fullmatch(fragment):
            raise ValueError("must have a fragment of 1 to 128 characters of base64url, or none")
        return check(place) + mark + fragment

    return either


def scope(value: object) -> str:
    """Scopes, each once."""
    return " ".join(identifiers.scope_set(value))


_SUBJECT = re.compile(r"[!-~]{1,512}", re.ASCII)
WORKLOAD = ("issuer", "subject", "jwks_uri")


def workload(value: object) -> dict[str, str]:
    """Which issuer says of a program that it is this one, under what name, and where its keys lie."""
    if not isinstance(value, dict) or set(value) != set(WORKLOAD):
        raise ValueError(f"must have exactly {', '.join(WORKLOAD)}")
    if not isinstance(value["subject"], str) or not _SUBJECT.fullmatch(value["subject"]):
        raise ValueError("must have a subject of 1 to 512 visible ASCII characters")
    return {"issuer": page(value["issuer"]), "subject": value["subject"], "jwks_uri": page(value["jwks_uri"])}


EXCHANGED = ("subject_clients", "audiences")


def exchanges(value: object) -> dict[str, list[str]]:
    """Of whose tokens others may be made, and for which APIs: both lists are named, and nothing else is open."""
    if not isinstance(value, dict) or set(value) != set(EXCHANGED):
        raise ValueError(f"must have exactly {' and '.join(EXCHANGED)}")
    checks = {"subject_clients": identifiers.client_id, "audiences": urls.resource}
    made = {name: several(checks[name])(value[name]) for name in EXCHANGED}
    if not all(made.values()):
        raise ValueError("must name at least one member in each list")
    return made


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def seconds(value: object) -> int:
    """A whole number of seconds."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10**9:
        raise ValueError("must be a whole number of seconds")
    return value


def jws(value: object) -> str:
    """A signed text in the compact form (RFC 7515 section 3.1), as it came."""
    if not isinstance(value, str) or not _JWS.fullmatch(value) or len(value) > parts.LONGEST:
        raise ValueError("must be a JWS in the compact form")
    return value


def version(value: object) -> str:
    """A version in visible ASCII."""
    if not isinstance(value, str) or not _VERSION.fullmatch(value):
        raise ValueError("must have 1 to 64 visible ASCII characters")
    return value
