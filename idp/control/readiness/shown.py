"""What the management listener shows of the whole deployment: light gates as they are, heavy ones as they were."""

import threading
from typing import Any

from idp import clock
from idp.config import Settings
from idp.control.readiness import run
from idp.control.readiness.world import World
from idp.errors import Busy
from idp.store.durable import gates

AGAIN = 5.0
"""Seconds for which a look is shown again, however many ask."""


class Shown:
    """The last look, at most AGAIN seconds old."""

    def __init__(self, settings: Settings) -> None:
        """Looks when it is first asked."""
        self._settings = settings
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._known: dict[str, Any] = {}

    def look(self) -> dict[str, Any]:
        """The deployment, gate by gate; never raises, and never a secret."""
        with self._lock:
            if clock.monotonic() - self._at > AGAIN:
                self._known = {"live": self._live(), "last": self._last()}
                self._at = clock.monotonic()
            return self._known

    def _live(self) -> list[dict[str, Any]]:
        return [result.content() for result in run.look(run.light(), World(self._settings))]

    def _last(self) -> dict[str, Any] | None:
        try:
            kept = gates.every()
        except Busy:
            return None
        return {
            name: {"at": one.at.isoformat(timespec="seconds"), "green": one.green, **one.content}
            for name, one in kept.items()
        }
