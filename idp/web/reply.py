"""An answer in its plainest form: a status, headers, bytes. Endpoints that answer in JSON need no more.

It is written as it is by the doors that stand in front of the framework, and becomes the framework's response
behind it; nobody else has to know which of the two happened.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Response

_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Heads:
    """The headers of a reply in their order; the few verbs of the framework's own that are needed here."""

    __slots__ = ("pairs",)

    def __init__(self, *pairs: tuple[str, str]) -> None:
        """`pairs`: names as the specifications spell them, and values."""
        self.pairs = list(pairs)

    def __setitem__(self, name: str, value: str) -> None:
        """Set a header, in place of one of that name."""
        self.pop(name)
        self.pairs.append((name, value))

    def __contains__(self, name: str) -> bool:
        """Whether a header of this name is there."""
        return any(one == name for one, _ in self.pairs)

    def add(self, name: str, value: str) -> None:
        """Add a header beside others of that name."""
        self.pairs.append((name, value))

    def pop(self, name: str, _default: None = None) -> None:
        """Take a header away where it is there."""
        if name in self:
            self.pairs = [pair for pair in self.pairs if pair[0] != name]


@dataclass(slots=True)
class Reply:
    """One answer. `headers` gets its Content-Length when it is sent."""

    status: int
    body: bytes = b""
    headers: Heads = field(default_factory=Heads)

    @classmethod
    def of(cls, kind: str, body: bytes = b"", status: int = 200) -> "Reply":
        """A reply of the media type `kind`."""
        return cls(status, body, Heads(("Content-Type", kind)))

    def send(self, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer as WSGI does; for a method whose answers have bodies."""
        if self.status != 204:
            self.headers.add("Content-Length", str(len(self.body)))
        start_response(_LINES[self.status], self.headers.pairs)
        return [self.body]

    def framed(self) -> Response:
        """The same as the framework's response."""
        return Response(self.body, self.status, self.headers.pairs)
