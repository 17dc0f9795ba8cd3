"""The one HTTP client for addresses that others supplied: a client's keys, the news of a sign-out.

The name is resolved once, what it resolves to is judged, and that very address is connected to, so that no second
answer of the DNS leads elsewhere. Only the public Internet is reached, but for hosts that the operator names
(`IDP_OUTBOUND_ALLOW`). No redirect is followed, no proxy of the environment is used, of a body no more is read than
its use needs, and all of it, the handshake included, has a few seconds.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic as elapsed
from urllib.parse import urlencode

from idp import config, urls
from idp.places import Places
from idp.tenants import current

SECONDS = 5.0
_LONGEST_LINE = 1_024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_JSON = "application/json"
_FIELD = re.compile(r"[\t -~]{1,8192}")
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=([0-9]{1,9})(?=$|[\s,])")


class NotSent(Exception):
    """Nobody answered, or not with what was asked for.

    The text is for operators, and tells neither addresses nor what the other side said. `status`: with which it
    answered, where it did.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Document:
    """What lies at an address: its bytes, and for how many seconds its owner lets it be kept (None: not said)."""

    body: bytes
    max_age: int | None


def post(uri: str, form: dict[str, str], *, vouched: bool = True) -> int:
    """The status with which `uri` answers a POST of `form`. Raises NotSent.

    `vouched`: somebody vouches for whose address it is; a stranger's has a smaller share of what there is.
    https everywhere; http on this machine alone, and only for a tenant that lives there itself (development).
    """
    with _reached(uri, vouched=vouched) as (channel, url):
        return _posted(channel, url, urlencode(form).encode())


def post_json(uri: str, body: bytes, bearer: str, *, vouched: bool = True) -> int:
    """As `post`, of a JSON document and with a bearer token (RFC 6750 section 2.1)."""
    with _reached(uri, vouched=vouched) as (channel, url):
        return _posted(
            channel, url, body, f"Content-Type: application/json\r\nAuthorization: Bearer {bearer}\r\n"
        )


def get(uri: str, kinds: tuple[str, ...], most: int, *, vouched: bool = True) -> Document:
    """What lies at `uri`, when it is of one of the media types `kinds` and has at most `most` bytes. Raises NotSent.

    A kind may end in `/*+json`: then every type of that structured syntax will do (RFC 6839 section 3.1).
    """
    with _reached(uri, vouched=vouched) as (channel, url):
        _send(channel, "GET", url, f"Accept: {', '.join(kinds)}\r\nAccept-Encoding: identity\r\n")
        return _read(channel, kinds, most)


def ask(
    uri: str, most: int, *, form: dict[str, str] | None = None, heads: dict[str, str] | None = None
) -> bytes:
    """The JSON with which `uri` answers a POST of `form`, or without one a GET, with the header fields `heads`.

    At most `most` bytes, read once and never kept. Raises NotSent.
    """
    fields = {"Accept": _JSON, "Accept-Encoding": "identity", **(heads or {})}
    body = b""
    if form is not None:
        body = urlencode(form).encode()
        fields |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    if not all(_FIELD.fullmatch(value) for value in fields.values()):
        # What one side says is sent to the other: a line's end in it would begin another field (RFC 9110 §5.5).
        raise NotSent("a header field would hold what does not belong there")
    with _reached(uri, vouched=True) as (channel, url):
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        _send(channel, "GET" if form is None else "POST", url, lines, body)
        return _read(channel, (_JSON,), most).body


@contextmanager
def _reached(uri: str, *, vouched: bool) -> Iterator[tuple[socket.socket, urls.Url]]:
    """A connection to where `uri` leads, which ends by itself. Raises NotSent for all that goes wrong with it."""
    local = current().local
    try:
        url = urls.web_url(uri, loopback=local)
    except urls.BadUrl as problem:
        raise NotSent(f"the address {problem}") from None
    if not local and not _named(url) and _port(url) != urls.DEFAULT_PORTS["https"]:
        raise NotSent("the port is not that of https")
    until = elapsed() + SECONDS
    try:
        with closing(_connected(url, until, local=local, vouched=vouched)) as channel:
            timer = threading.Timer(max(0.0, until - elapsed()), _hang_up, [channel])
            timer.daemon = True
            timer.start()
            try:
                if isinstance(channel, ssl.SSLSocket):
                    channel.do_handshake()
                yield channel, url
            finally:
                timer.cancel()
    except ssl.SSLError as error:
        raise NotSent(f"no TLS ({error.reason or 'handshake'})") from None
    except TimeoutError:
        raise NotSent("no answer in time") from None
    except OSError:
        raise NotSent("no connection") from None


def _port(url: urls.Url) -> int:
    return url.port or urls.DEFAULT_PORTS[url.scheme]


def _named(url: urls.Url) -> bool:
    """Whether the operator has named this host, or this host with this port."""
    return bool({url.host, f"{url.host}:{_port(url)}"}.intersection(config.settings().outbound_allow))


def _read(channel: socket.socket, kinds: tuple[str, ...], most: int) -> Document:
    with http.client.HTTPResponse(channel, method="GET") as answer:
        try:
            answer.begin()
            kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
            if answer.status != 200 or not _wanted(kind, kinds) or answer.getheader("Content-Encoding"):
                text = f"answered {answer.status} with another kind of document than was asked for"
                raise NotSent(text, answer.status)
            body = answer.read(most + 1)
            if len(body) <= most and answer.length:
                raise NotSent("the document is cut off")
        except http.client.RemoteDisconnected:
            raise NotSent("no answer in time") from None
        except (http.client.HTTPException, ValueError):
            raise NotSent("no answer that can be read") from None
        if len(body) > most:
            raise NotSent("the document is too large")
        found = _MAX_AGE.search((answer.getheader("Cache-Control") or "").lower())
        return Document(body, int(found[1]) if found else None)


def _wanted(kind: str, kinds: tuple[str, ...]) -> bool:
    return kind in kinds or (
        kind.startswith("application/") and kind.endswith("+json") and "application/*+json" in kinds
    )


def _connected(url: urls.Url, until: float, *, local: bool, vouched: bool) -> socket.socket:
    port = _port(url)
    where = _address(url.host, port, until, named=_named(url), local=local, vouched=vouched), port
    channel = socket.create_connection(where, max(0.001, until - elapsed()))
    if url.scheme != "https":
        return channel
    trusted = _trust(config.settings().outbound_ca)
    # An end that nobody announced is a cut, not an end.
    return trusted.wrap_socket(
        channel, server_hostname=url.host, do_handshake_on_connect=False, suppress_ragged_eofs=False
    )


def _hang_up(channel: socket.socket) -> None:
    try:
        channel.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def mail_server(host: str, port: int) -> str:
    """The one address at which to reach the mail server of the entered tenant. Raises NotSent as all of this does."""
    named = bool({host, f"{host}:{port}"}.intersection(config.settings().outbound_allow))
    return _address(host, port, elapsed() + SECONDS, named=named, local=current().local, vouched=True)


def _address(host: str, port: int, until: float, *, named: bool, local: bool, vouched: bool) -> str:
    """The one address to connect to. Raises NotSent for one that is not on the public Internet."""
    addresses = _resolved(host, port, until, vouched=vouched)
    if not named and not all(_allowed(each, local=local) for each in addresses):
        raise NotSent("the address is not public")
    # Where this machine has both families, servers of the tests and of development listen on the older one.
    return next((each for each in addresses if ":" not in each), addresses[0])


def _resolved(host: str, port: int, until: float, *, vouched: bool) -> list[str]:
    """Every address of a name. The system's resolver knows no deadline, so that a thread of its own waits for it.

    A thread that hangs keeps its place until it ends, so that names that nobody answers for use up the share of
    whoever gave them, and no other's.
    """
    found: list[str] = []
    place = LOOKING.take(None, vouched=vouched, patience=max(0.0, until - elapsed()))
    if place is None:
        raise NotSent("the resolver does not answer")

    def look() -> None:
        try:
            with suppress(OSError, UnicodeError):
                found.extend(
                    str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                )
        finally:
            LOOKING.give_back(place)

    looker = threading.Thread(target=look, name="resolver", daemon=True)
    looker.start()
    looker.join(max(0.0, until - elapsed()))
    addresses = [] if looker.is_alive() else found
    if not addresses:
        raise NotSent("the name has no address")
    return addresses


LOOKING = Places(at_once=24, of_one=6, strangers=8)
"""Threads that wait for the resolver."""
_UNICAST = ipaddress.ip_network("2000::/3")  # all that has been given to hosts of the public Internet so far
_SPECIAL = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip
"""IANA's registries of special-purpose addresses (RFC 6890), written out: the library's own list lags behind them."""


def _allowed(address: str, *, local: bool) -> bool:
    plain = ipaddress.ip_address(address.partition("%")[0])
    if local and plain.is_loopback:
        return True
    if plain.version == 6 and plain not in _UNICAST:
        return False
    return not any(plain.version == network.version and plain in network for network in _SPECIAL)


@cache
def _trust(ca: Path | None) -> ssl.SSLContext:
    made = ssl.create_default_context()
    if ca is not None:
        made.load_verify_locations(ca)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _send(channel: socket.socket, method: str, url: urls.Url, heads: str, body: bytes = b"") -> None:
    target = (url.path or "/") + (f"?{url.query}" if url.query is not None else "")
    host = (url.origin or "").partition("://")[2]
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{heads}User-Agent: idp\r\nConnection: close\r\n\r\n"
    )
    channel.sendall(head.encode("ascii") + body)


_FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


def _posted(channel: socket.socket, url: urls.Url, body: bytes, kind: str = _FORM) -> int:
    _send(channel, "POST", url, f"{kind}Content-Length: {len(body)}\r\nAccept: */*\r\n", body)
    line = b""
    while b"\n" not in line and len(line) < _LONGEST_LINE:
        more = channel.recv(_LONGEST_LINE)
        if not more:
            raise NotSent("no answer in time" if not line else "no answer that can be read")
        line += more
    found = _STATUS.match(line)
    if found is None:
        raise NotSent("no answer that can be read")
    return int(found[1])
