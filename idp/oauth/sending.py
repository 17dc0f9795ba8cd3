"""Posting a form to an address that a client registered, of whose answer only the status counts.

The name is resolved once, what it resolves to is judged, and that very address is connected to, so that no second
answer of the DNS leads elsewhere. No redirect is followed, nothing of the body is read, and all of it, the
handshake included, has a few seconds.
"""

import ipaddress
import re
import socket
import ssl
import threading
from contextlib import closing
from functools import cache
from urllib.parse import urlencode

from idp import urls
from idp.tenants import current

SECONDS = 5.0
_LONGEST_LINE = 1_024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")


class NotSent(Exception):
    """Nobody answered. The text is for operators, and tells neither addresses nor what the other side said."""


def post(uri: str, form: dict[str, str]) -> int:
    """The status with which `uri` answers a POST of `form`. Raises NotSent.

    https everywhere; http on this machine alone, and only for a tenant that lives there itself (development).
    """
    local = current().issuer.startswith("http://")
    try:
        url = urls.web_url(uri, loopback=local)
    except urls.BadUrl as problem:
        raise NotSent(f"the address {problem}") from None
    try:
        with closing(_connected(url, local=local)) as channel:
            timer = threading.Timer(SECONDS, _hang_up, [channel])
            timer.daemon = True
            timer.start()
            try:
                return _exchange(channel, url, urlencode(form).encode())
            finally:
                timer.cancel()
    except ssl.SSLError as error:
        raise NotSent(f"no TLS ({error.reason or 'handshake'})") from None
    except TimeoutError:
        raise NotSent("no answer in time") from None
    except OSError:
        raise NotSent("no connection") from None


def _connected(url: urls.Url, *, local: bool) -> socket.socket:
    port = url.port or urls.DEFAULT_PORTS[url.scheme]
    channel = socket.create_connection((_address(url, port, local=local), port), SECONDS)
    if url.scheme != "https":
        return channel
    return _trust().wrap_socket(channel, server_hostname=url.host, do_handshake_on_connect=False)


def _hang_up(channel: socket.socket) -> None:
    try:
        channel.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _address(url: urls.Url, port: int, *, local: bool) -> str:
    """The one address to connect to. Raises NotSent for one that is not on the public Internet."""
    try:
        found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotSent("the name has no address") from None
    addresses = [str(each[4][0]) for each in found]
    for address in addresses:
        if not _allowed(address, local=local):
            raise NotSent("the address is not public")
    # Where this machine has both families, servers of the tests and of development listen on the older one.
    return next((each for each in addresses if ":" not in each), addresses[0])


def _allowed(address: str, *, local: bool) -> bool:
    plain = ipaddress.ip_address(address.partition("%")[0])
    if local and plain.is_loopback:
        return True
    inner = getattr(plain, "ipv4_mapped", None) or getattr(plain, "sixtofour", None)
    hidden = plain.version == 6 and plain in ipaddress.ip_network("64:ff9b::/96")
    return plain.is_global and not plain.is_multicast and inner is None and not hidden


@cache
def _trust() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _exchange(channel: socket.socket, url: urls.Url, body: bytes) -> int:
    if isinstance(channel, ssl.SSLSocket):
        channel.do_handshake()
    target = (url.path or "/") + (f"?{url.query}" if url.query is not None else "")
    host = (url.origin or "").partition("://")[2]
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nAccept: */*\r\nUser-Agent: idp\r\nConnection: close\r\n\r\n"
    )
    channel.sendall(head.encode("ascii") + body)
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
