"""The one policy for every URL that somebody else gives us.

Owns: the strict reading of a URL and the question for which purpose it may be used (redirect URI, page of a
client, origin of a browser application, identifier of an API) and when a presented redirect URI equals a
registered one. Leaves to others: fetching (`outbound`) and the words of the protocol error.

It is a recogniser, not a list of bad examples: the text must be derivable from the grammar below, which is
RFC 3986 less everything that two parsers could read in two ways. What the grammar cannot spell (userinfo,
fragments, backslashes, blanks, control characters, wildcards, non-ASCII) does not exist here.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from idp import identifiers

LONGEST = 2048  # characters; browsers and proxies agree on no more
LOOPBACK_NAME = "localhost"
DEFAULT_PORTS = {"https": 443, "http": 80}

HostKind = Literal["name", "ipv4", "ipv6", "none"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,62}):(.*)", re.ASCII | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::([1-9][0-9]{0,4}))?", re.ASCII)
_PCHAR = r"[A-Za-z0-9._~!$&'()+,;=:@-]|%[0-9A-Fa-f]{2}"
_PATH = re.compile(rf"(?:/(?:{_PCHAR})*)*", re.ASCII)
_QUERY = re.compile(rf"(?:{_PCHAR}|[/?])*", re.ASCII)
_URN = re.compile(rf"urn:[a-z0-9][a-z0-9-]{{0,30}}[a-z0-9]:(?:{_PCHAR}|/)+", re.ASCII)
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_NEVER_ENCODED_IN_PATH = frozenset(b"/\\%;")  # each would be a separator, or a second round of decoding
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+", re.ASCII)


class BadUrl(ValueError):
    """The text is no URL of this policy; `str()` is one ASCII clause that says why, without the text."""


@dataclass(frozen=True)
class Url:
    """A URL of this policy, taken apart; `text` is exactly what was given."""

    text: str
    scheme: str
    host: str  # without brackets; "" for a private-use scheme with no authority
    host_kind: HostKind
    port: int | None
    path: str
    query: str | None

    @property
    def loopback(self) -> bool:
        """The host is this very machine: `localhost` or a loopback address literal (RFC 8252 section 7.3)."""
        return self.host == LOOPBACK_NAME or self.loopback_address

    @property
    def loopback_address(self) -> bool:
        """The host is a loopback address literal; `localhost` is not one."""
        return self.host_kind in ("ipv4", "ipv6") and ipaddress.ip_address(self.host).is_loopback

    @property
    def origin(self) -> str | None:
        """The browser's origin (RFC 6454 section 6.2), or None for a private-use scheme."""
        if self.scheme not in DEFAULT_PORTS:
            return None
        host = f"[{self.host}]" if self.host_kind == "ipv6" else self.host
        plain = self.port is None or self.port == DEFAULT_PORTS[self.scheme]
        return f"{self.scheme}://{host}" + ("" if plain else f":{self.port}")


def parse(text: object) -> Url:
    """Read `text` by the grammar of this module; raises BadUrl."""
    if not isinstance(text, str):
        raise BadUrl("must be a string")
    if not 0 < len(text) <= LONGEST:
        raise BadUrl(f"must have 1 to {LONGEST} characters")
    if not all("!" <= character <= "~" for character in text):
        raise BadUrl("must consist of visible ASCII characters")
    found = _SCHEME.fullmatch(text)
    if not found:
        raise BadUrl("must be absolute and begin with a scheme in lower case")
    scheme, rest = found.groups()
    if "#" in rest:
        raise BadUrl("must have no fragment")
    hierarchy, mark, query = rest.partition("?")
    if mark and not _QUERY.fullmatch(query):
        raise BadUrl("has a character in its query that must be percent-encoded")
    _check_percent(query, frozenset(), frozenset(), "query")
    if scheme in DEFAULT_PORTS:
        if not hierarchy.startswith("//"):
            raise BadUrl("must have a host after the scheme")
        host, kind, port, path = _authority_and_path(hierarchy[2:])
    else:
        host, kind, port, path = _private_use(scheme, hierarchy)
    return Url(text, scheme, host, kind, port, path, query if mark else None)


def _authority_and_path(rest: str) -> tuple[str, HostKind, int | None, str]:
    authority, slash, tail = rest.partition("/")
    found = _AUTHORITY.fullmatch(authority)
    if not found:
        raise BadUrl("has a host or port that is not plainly written in lower case")
    host, port_text = found.groups()
    port = int(port_text) if port_text else None
    if port is not None and port > 65535:
        raise BadUrl("has a port above 65535")
    path = slash + tail
    _check_path(path)
    name, kind = _host(host)
    return name, kind, port, path


def _host(host: str) -> tuple[str, HostKind]:
    if host.startswith("["):
        return _ipv6(host[1:-1]), "ipv6"
    labels = host.split(".")
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        # WHATWG URL section 3.5: a last label that is a number makes the host an IPv4 address
        return _ipv4(host), "ipv4"
    try:
        identifiers.host_name(host)
    except ValueError as problem:
        raise BadUrl(f"has a host that {problem}") from None
    return host, "name"


def _ipv4(host: str) -> str:
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise BadUrl("has an IPv4 address that is not four decimal numbers") from None
    if address.is_unspecified or address.is_multicast:
        raise BadUrl("has an address that is no host")
    return host


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise BadUrl("has an IPv6 address that is not well formed") from None
    if str(address) != host:
        raise BadUrl("has an IPv6 address that is not in its shortest form")
    if address.ipv4_mapped or address.sixtofour or address.teredo or host.startswith("64:ff9b:"):
        raise BadUrl("has an IPv6 address that hides an IPv4 address")
    if address.is_unspecified or address.is_multicast:
        raise BadUrl("has an address that is no host")
    return host


def _private_use(scheme: str, hierarchy: str) -> tuple[str, HostKind, int | None, str]:
    """`com.example.app:/path` (RFC 8252 section 7.1) or `com.example.app://name/path`, which is as usual."""
    if not _PRIVATE_USE.fullmatch(scheme):
        raise BadUrl("must be https, or have a private-use scheme in reverse domain notation with a dot")
    if hierarchy.startswith("//"):
        host, kind, port, path = _authority_and_path(hierarchy[2:])
        if kind != "name" or port is not None:
            raise BadUrl("has an authority that is not a plain name")
        return host, kind, None, path
    if not hierarchy.startswith("/"):
        raise BadUrl("must have a path that begins with a slash")
    _check_path(hierarchy)
    return "", "none", None, hierarchy


def _check_path(path: str) -> None:
    """No path that a proxy, a browser or a server could turn into another one (RFC 3986 section 6.2.2)."""
    if not _PATH.fullmatch(path):
        raise BadUrl("has a character in its path that must be percent-encoded or is not allowed")
    _check_percent(path, _UNRESERVED, _NEVER_ENCODED_IN_PATH, "path")
    if "//" in path:
        raise BadUrl("has an empty segment in its path")
    for segment in path.split("/"):
        if segment.split(";", 1)[0] in (".", ".."):
            raise BadUrl("has a dot segment in its path")


def _check_percent(part: str, needless: frozenset[int], never: frozenset[int], name: str) -> None:
    codes = [int(code, 16) for code in _PERCENT.findall(part)]
    if any(code < 0x20 or code == 0x7F for code in codes):
        raise BadUrl(f"has an encoded control character in its {name}")
    if any(code in needless for code in codes):
        raise BadUrl(f"encodes a character in its {name} that needs no encoding")
    if any(code in never for code in codes):
        raise BadUrl(f"encodes a separator in its {name}")
    if codes:
        try:
            decoded = unquote_to_bytes(part).decode("utf-8")
        except UnicodeDecodeError:
            raise BadUrl(f"has encoded bytes in its {name} that are no UTF-8") from None
        if not decoded.isprintable():
            raise BadUrl(f"has an encoded invisible character in its {name}")


def redirect_uri(text: object, *, native: bool) -> Url:
    """A URI to which a browser may be sent with an answer; raises BadUrl.

    https anywhere, http on this machine only (RFC 9700 section 2.6), a private-use scheme only for native
    applications (RFC 8252 section 7.1). There are no patterns: what is registered is compared as it stands.
    """
    url = parse(text)
    if url.scheme == "https":
        return url
    if url.scheme == "http":
        if not url.loopback:
            raise BadUrl("must be https unless it is localhost or a loopback address")
        return url
    if not native:
        raise BadUrl("may have a scheme of its own only when application_type is native")
    return url


def same_redirect(registered: str, presented: str, *, native: bool) -> bool:
    """Whether `presented` is the registered URI: exactly, but for the port of a native loopback address.

    RFC 9700 section 2.1 and RFC 8252 section 7.3. `localhost` is a name, not an address: exact.
    """
    if registered == presented:
        return True
    if not native:
        return False
    try:
        ours, theirs = parse(registered), parse(presented)
    except BadUrl:
        return False
    if not (ours.scheme == theirs.scheme == "http" and ours.loopback_address and theirs.loopback_address):
        return False
    return (ours.host, ours.path, ours.query) == (theirs.host, theirs.path, theirs.query)


def web_url(text: object, *, loopback: bool = False) -> Url:
    """An https URL; with `loopback` also http on this machine (development). Raises BadUrl."""
    url = parse(text)
    if url.scheme == "https" or (loopback and url.scheme == "http" and url.loopback):
        return url
    raise BadUrl("must be https")


def origin(text: object) -> str:
    """A browser's origin, as its `Origin` header spells it; raises BadUrl.

    Never `null` and never a pattern. https, or http on this machine.
    """
    url = parse(text)
    if url.scheme not in DEFAULT_PORTS or url.path or url.query is not None or url.origin != url.text:
        raise BadUrl("must be a scheme, a host and a port that is not the default one, and nothing more")
    if url.scheme == "http" and not url.loopback:
        raise BadUrl("must be https unless it is localhost or a loopback address")
    return url.text


def origin_of(text: str) -> str | None:
    """The origin of a URL that this policy took, or None where it has none."""
    try:
        return parse(text).origin
    except BadUrl:
        return None


def resource(text: object) -> str:
    """The identifier of an API: an absolute URI without fragment (RFC 8707 section 2); raises BadUrl.

    It names and is never fetched, so http is as good as https, and a URN is taken too.
    """
    if isinstance(text, str) and len(text) <= LONGEST and _URN.fullmatch(text):
        return text
    url = parse(text)
    if url.scheme not in DEFAULT_PORTS:
        raise BadUrl("must be an http or https URL or a URN")
    return url.text
