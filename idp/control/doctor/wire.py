"""One request from outside, over a connection of its own; follows nothing, believes nothing."""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SECONDS = 5.0
_LARGEST = 1 << 20


class Silent(Exception):
    """Nobody answers, or not in HTTP; the text says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers as they came, and the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    local: str
    """The address from which we asked."""

    def every(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for given, value in self.headers if given.lower() == name.lower()]

    def json(self) -> dict[str, Any]:
        """The body as an object; empty where it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


def connect(place: tuple[str, int]) -> socket.socket:
    """A connection. Raises Silent."""
    try:
        return socket.create_connection(place, SECONDS)
    except ConnectionRefusedError:
        raise Silent(f"nothing listens on port {place[1]} of {place[0]}") from None
    except TimeoutError:
        raise Silent(f"{place[0]} does not answer on port {place[1]}") from None
    except OSError as problem:
        raise Silent(f"{place[0]} cannot be reached ({problem.strerror or 'no address'})") from None


def get(
    url: str, headers: Mapping[str, str], context: ssl.SSLContext, via: tuple[str, int] | None = None
) -> Answer:
    """GET; `via`: where to connect instead. Raises Silent, ssl.SSLError for a certificate that is not trusted."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    raw = connect(via or (host, port))
    try:
        line = context.wrap_socket(raw, server_hostname=host) if parts.scheme == "https" else raw
        return _ask(line, host, port, parts.path + (f"?{parts.query}" if parts.query else ""), headers)
    except ssl.SSLError:
        raise
    except (OSError, http.client.HTTPException) as problem:
        raise Silent(f"it does not speak HTTP ({type(problem).__name__})") from None
    finally:
        raw.close()


def _ask(line: socket.socket, host: str, port: int, path: str, headers: Mapping[str, str]) -> Answer:
    connection = (
        http.client.HTTPSConnection if isinstance(line, ssl.SSLSocket) else http.client.HTTPConnection
    )
    asking = connection(host, port, timeout=SECONDS)
    asking.sock = line
    try:
        local = str(line.getsockname()[0])
        asking.request("GET", path or "/", headers={"Accept": "*/*", **headers})
        came = asking.getresponse()
        return Answer(came.status, tuple(came.getheaders()), came.read(_LARGEST), local)
    finally:
        asking.close()
