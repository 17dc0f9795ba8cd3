"""The signed tenant context: what a transaction shows Postgres to be let in as one tenant.

`v1.<key id>.<tenant>.<expiry>.<hmac>`, HMAC-SHA256 (RFC 2104) under a key that only a function inside
Postgres and the key ring know. This module alone reads the real clock: the expiry is judged by Postgres,
whose clock nothing freezes, so tests leave this module out of frozen time.
"""

import hmac
import threading
import time
from uuid import UUID

from idp import metrics

LIFETIME = 30
"""Seconds that a context lives, in Postgres' time."""

MEASURE_EVERY = 60
"""Seconds between two measurements of the offset between Postgres' clock and ours."""

_PAD = 64


def pads(key: bytes) -> tuple[bytes, bytes]:
    """The inner and outer pad of HMAC-SHA256 for `key` (RFC 2104 §2), as Postgres keeps them."""
    block = key.ljust(_PAD, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def elapsed() -> float:
    """Seconds on the machine's own clock, whatever time tests have frozen; only differences mean anything."""
    return time.monotonic()


class Signer:
    """Signs contexts with the newest key and knows how far Postgres' clock is from ours."""

    def __init__(self, keys: list[tuple[str, bytes]]) -> None:
        """`keys`: (id, 32 bytes), newest first."""
        self._id, self._key = keys[0]
        self._offset = 0.0
        self._measured = float("-inf")
        self._lock = threading.Lock()

    def sign(self, tenant_id: UUID, lives: int = LIFETIME) -> str:
        """A context for one tenant, valid for `lives` seconds from now in Postgres' time."""
        expiry = int(time.time() + self._offset) + lives
        message = f"v1.{self._id}.{tenant_id}.{expiry}"
        return f"{message}.{hmac.digest(self._key, message.encode(), 'sha256').hex()}"

    def stale(self) -> bool:
        """Whether the offset should be measured again."""
        return time.monotonic() - self._measured > MEASURE_EVERY

    def measured(self, database_epoch: float) -> None:
        """Take note of what Postgres' clock says at this moment, in seconds since 1970."""
        with self._lock:
            self._offset = database_epoch - time.time()
            self._measured = time.monotonic()
        metrics.show("clock_offset_seconds", self._offset)

    @property
    def offset(self) -> float:
        """Postgres' clock minus ours, in seconds."""
        return self._offset
