"""What checks look at: settings, and one reading of Postgres and of Redis that they share."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from idp.config import Settings
from idp.errors import Busy
from idp.prove.promises import NotProved
from idp.store import observed

if TYPE_CHECKING:
    from idp.prove.target import Program

Reading = TypeVar("Reading")


class NotLooked(Exception):
    """A check could not look, because something before it does not hold: one sentence."""


@dataclass(slots=True)
class World:
    """One look at a deployment."""

    settings: Settings
    opened: bool = True
    """Whether vault and key ring are open in this process."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What one check made and another uses again, by name."""
    program: "Program | None" = None
    """The public commands, for the gates that make canary tenants; None where they cannot be run."""
    against: Mapping[str, Any] | None = None
    """The fingerprint of another environment that this one should be like."""
    tell: Callable[[str], None] = lambda _line: None
    """Is told what is being done where it takes a while."""
    stack: ExitStack = field(default_factory=ExitStack)
    """What has to be put away after the last check."""

    @property
    def loopback(self) -> bool:
        """Whether this is plain http, which exists on this machine's loopback alone."""
        return not self.settings.secure

    @property
    def production(self) -> bool:
        """Whether the rules of production hold."""
        return self.settings.env == "production"

    @staticmethod
    def pause(seconds: float) -> None:
        """Wait."""
        threading.Event().wait(seconds)

    def need_vault(self) -> None:
        """Raises NotLooked where the vault is closed."""
        if not self.opened:
            raise NotLooked("Postgres and Redis are not asked without a key ring.")

    def postgres(self) -> observed.PostgresSeen:
        """The reading of Postgres. Raises Unavailable, NotLooked."""
        self.need_vault()
        return self.once("postgres", observed.postgres)

    def redis(self) -> observed.RedisSeen:
        """The reading of Redis. Raises Away, NotLooked."""
        self.need_vault()
        return self.once("redis", observed.cache)

    def once(self, name: str, look: Callable[[], Reading]) -> Reading:
        """What `look` gave or raised the first time that something of this name was asked for."""
        if name not in self.kept:
            try:
                self.kept[name] = look()
            except (Busy, NotLooked, NotProved) as away:
                self.kept[name] = away
        found = self.kept[name]
        if isinstance(found, Exception):
            raise found
        return cast(Reading, found)
