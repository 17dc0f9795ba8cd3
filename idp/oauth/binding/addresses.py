"""Addresses as a proof may spell them (RFC 9449 §4.3 item 9, RFC 3986 §6.2.2 and §6.2.3)."""

import re
from urllib.parse import urlsplit

_LONGEST = 2_048
_PLAIN = re.compile(r"[!-~]+")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PORTS = {"https": ":443", "http": ":80"}


def normalised(address: object) -> str | None:
    """The address without query and fragment, in its one spelling; None for what is no address of the web."""
    if not isinstance(address, str) or len(address) > _LONGEST or not _PLAIN.fullmatch(address):
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), _ESCAPED.sub(_unescaped, parts.netloc).lower()
    if scheme not in _PORTS or not host or "@" in host or "\\" in address:
        return None
    host = host.removesuffix(_PORTS[scheme]).removesuffix(":")
    return f"{scheme}://{host}{_ESCAPED.sub(_unescaped, parts.path) or '/'}"


def _unescaped(found: re.Match[str]) -> str:
    """What need not be escaped stands for itself; what must be is written in capitals."""
    plain = chr(int(found[1], 16))
    return plain if plain in _UNRESERVED else f"%{found[1].upper()}"
