"""HTTP/1.1 as a stranger speaks it: answers with every header, any Host, one connection an origin, spaced."""

import http.client
import json
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from idp.prove.pace import Pace
from idp.prove.promises import NotProved, Unexpected

TIMEOUT = 15.0
"""Seconds that one answer may take."""
PER_SECOND = 800
"""Requests of one net at most, so that a proof on a busy system stays a small part of its load."""
FORM = "application/x-www-form-urlencoded"
_GONE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError)

Headers = Mapping[str, str]
Form = Mapping[str, str] | Iterable[tuple[str, str]]


NOT_NOW = (429, 503)
"""Statuses of whoever cannot or will not answer at present (RFC 6585 §4, RFC 9110 §15.6.4)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first header of this name, or ""."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")

    def every(self, name: str) -> tuple[str, ...]:
        """Every header of this name."""
        return tuple(value for known, value in self.headers if known.lower() == name.lower())

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self, status: int = 200) -> dict[str, Any]:
        """The JSON object of an answer with `status`. Raises Unexpected."""
        value: Any = None
        with suppress(ValueError):
            value = json.loads(self.body)
        if self.status != status or not isinstance(value, dict):
            raise self.unexpected(f"where JSON with status {status} is due")
        return value

    def unexpected(self, words: str) -> Unexpected | NotProved:
        """What to raise where another answer was due.

        One that says "not now" says nothing of isolation: an outage is no broken promise.
        """
        if self.status in NOT_NOW:
            return NotProved(f"{self} {words}; the deployment is overloaded, or what it needs is away.")
        return Unexpected(f"{self} {words}.")

    def __str__(self) -> str:
        """In words, for a finding; without anything that could be a secret."""
        address = urlsplit(self.url)
        error = ""
        with suppress(ValueError, AttributeError):
            error = str(json.loads(self.body).get("error", ""))
        return f"{address.path} answered {self.status}{f' {error}' if error else ''}"


class Net:
    """Connections of one visitor, one for each origin; a context manager that closes them."""

    def __init__(self, *, timeout: float = TIMEOUT, per_second: float = PER_SECOND) -> None:
        """`timeout`: seconds that an answer may take; `per_second`: requests at most."""
        self._timeout = timeout
        self._pace = Pace(per_second)
        self._lines: dict[tuple[str, str], http.client.HTTPConnection] = {}
        self.asked = 0
        """Requests so far."""

    def __enter__(self) -> "Net":
        """Nothing is connected before the first request."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close every connection."""
        self.close()

    def close(self) -> None:
        """Close every connection."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def get(self, url: str, headers: Headers | None = None, *, at: str | None = None) -> Answer:
        """GET; see `ask`."""
        return self.ask("GET", url, headers, at=at)

    def post(self, url: str, form: Form, headers: Headers | None = None, *, at: str | None = None) -> Answer:
        """POST a form; see `ask`."""
        body = urlencode(list(form.items()) if isinstance(form, Mapping) else list(form)).encode()
        return self.ask("POST", url, {"Content-Type": FORM, **(headers or {})}, body, at=at)

    def ask(
        self,
        method: str,
        url: str,
        headers: Headers | None = None,
        body: bytes | None = None,
        *,
        at: str | None = None,
    ) -> Answer:
        """One request, redirects not followed. Raises OSError, http.client.HTTPException.

        `at`: the origin to connect to, where that is not the address's own; `Host` is the address's own unless
        `headers` names another.
        """
        parts, meet = urlsplit(url), urlsplit(at or url)
        origin = (meet.scheme, meet.netloc)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        named = {"Host": parts.netloc, "Accept": "*/*", **(headers or {})}
        if body is not None or method == "POST":
            named["Content-Length"] = str(len(body or b""))
        self._pace.wait()
        self.asked += 1
        used = origin in self._lines
        try:
            return self._once(origin, method, path, named, body, url)
        except _GONE:
            self._lines.pop(origin).close()
            if not used:
                raise
            return self._once(origin, method, path, named, body, url)
        except (OSError, http.client.HTTPException):
            self._lines.pop(origin).close()
            raise

    def _once(
        self, origin: tuple[str, str], method: str, path: str, headers: Headers, body: bytes | None, url: str
    ) -> Answer:
        line = self._lines.get(origin) or self._lines.setdefault(origin, self._connection(*origin))
        line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            line.putheader(name, value.encode("utf-8"))
        line.endheaders(body)
        with line.getresponse() as response:
            read = response.read()
            return Answer(url, response.status, tuple(response.getheaders()), read)

    def _connection(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        parts = urlsplit(f"//{netloc}")
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=self._timeout)
