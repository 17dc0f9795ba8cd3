"""What examinations look at, and the ways out of this process that they share."""

import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from idp.config import Settings
from idp.control import dns_text, tenants
from idp.control.doctor import wire
from idp.store.durable.control_plane import Row

MOST = 50
"""Tenants of which the addresses are fetched and the hosts looked up."""

T = TypeVar("T")


class NotTried(Exception):
    """An examination could not be made: one sentence."""


def resolves(host: str) -> bool:
    """Whether a name has an address, as this machine sees it."""
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


@dataclass(slots=True)
class World:
    """One look at a deployment."""

    settings: Settings
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the environment was, secrets' values left out or not: only names are read."""
    closed: str | None = None
    """Why vault and ring are not open in this process; None where they are."""
    serving: int | None = None
    """The port on which an `idp up` of this deployment listens; None where none runs."""
    via: tuple[str, int] | None = None
    """Where to connect instead of the base URL's host and port."""
    resolve: Callable[[str], bool] = resolves
    lookup: Callable[[str], Iterable[str]] = dns_text.lookup
    ask: Callable[[str, str], list[str]] = dns_text.ask
    """What records of a kind (MX, PTR, …) of a name say."""
    context: Callable[[], ssl.SSLContext] = ssl.create_default_context
    _kept: dict[str, object] = field(default_factory=dict)

    def once(self, name: str, look: Callable[[], T]) -> T:
        """What `look` gives, looked at once."""
        if name not in self._kept:
            self._kept[name] = look()
        return self._kept[name]  # type: ignore[return-value]

    def vault(self) -> None:
        """Raises NotTried where Postgres cannot be asked."""
        if self.closed is not None:
            raise NotTried(self.closed)

    def tenants(self) -> list[Row]:
        """The first active tenants. Raises NotTried, Unavailable."""
        self.vault()
        return self.once("tenants", lambda: [row for row in tenants.list_() if row.status == "active"][:MOST])

    def fetch(self, url: str, **headers: str) -> wire.Answer:
        """GET from outside, as a browser comes; a header is named with underscores. Raises NotTried."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return wire.get(url, named, self.context(), self._via(url))
        except wire.Silent as silent:
            raise NotTried(f"There is no answer: {silent}.") from None
        except ssl.SSLError:
            host = urlsplit(url).hostname
            raise NotTried(f"The certificate of {host} is not trusted, so nothing is asked there.") from None

    def _via(self, url: str) -> tuple[str, int] | None:
        ours = urlsplit(url).hostname == urlsplit(self.settings.base_url).hostname
        return self.via if ours else None

    def place(self) -> tuple[str, int]:
        """Host and port at which the provider is to be reached."""
        return self.via or (urlsplit(self.settings.base_url).hostname or "localhost", self.settings.port)
