"""The key-encryption key ring: wraps every tenant's signing keys, and is the root of what else is derived.

Several keys lie on a ring; the newest wraps, all unwrap. Where the ring's own bytes come from is a driver's
business: a file, the environment, or a command that asks a key service. Drivers are called at start and when
the ring itself changes, never for a request.

Data without its ring cannot be opened, so a ring is made only where there is no data yet; otherwise its
absence stops the start, in one sentence (F20).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from idp import clock, ids
from idp.config import ConfigError, Settings
from idp.config import settings as process_settings
from idp.signing import envelope
from idp.signing.drivers import Command, Driver, Environment, File

_PURPOSE = b"idp/signing-keys/v1"
_BITS = 256


class UnknownRingKey(envelope.Unsealable):
    """Something was sealed under a key that is not on the ring."""


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of the ring: 32 random bytes, never used directly, only through HKDF."""

    id: str
    created_at: datetime
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys in the order in which they were added; the last one is the newest."""

    keys: tuple[RingKey, ...]
    _sealing: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def newest(self) -> RingKey:
        """The key that wraps."""
        return self.keys[-1]

    def find(self, ring_id: str) -> RingKey:
        """The key with this id. Raises UnknownRingKey."""
        for key in self.keys:
            if key.id == ring_id:
                return key
        raise UnknownRingKey(
            f"the key ring has no key {ring_id!r}; give the provider the ring that sealed this data"
        )

    def wrap(self, plain: bytes, tenant_id: UUID, kid: str) -> tuple[str, bytes]:
        """`plain` sealed for one tenant and key, with the id of the ring key that did it."""
        ring_key = self.newest
        return ring_key.id, envelope.seal(
            self._sealing_key(ring_key), plain, envelope.associated(tenant_id, kid)
        )

    def unwrap(self, ring_id: str, sealed: bytes, tenant_id: UUID, kid: str) -> bytes:
        """What was sealed for this tenant and key. Raises Unsealable."""
        key = self._sealing_key(self.find(ring_id))
        return envelope.open_(key, sealed, envelope.associated(tenant_id, kid))

    def derive(self, info: bytes, length: int = 32) -> bytes:
        """`length` bytes for one purpose, from the newest key (HKDF-SHA-256, RFC 5869)."""
        return _derive(self.newest, info, length)

    def derive_all(self, info: bytes, length: int = 32) -> list[tuple[str, bytes]]:
        """The same from every key of the ring, newest first: what a check accepts while the ring changes."""
        return [(key.id, _derive(key, info, length)) for key in reversed(self.keys)]

    def _sealing_key(self, key: RingKey) -> bytes:
        found = self._sealing.get(key.id)
        if found is None:
            found = self._sealing[key.id] = _derive(key, _PURPOSE, 32)
        return found


def _derive(key: RingKey, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(key.secret)


def driver(settings: Settings) -> Driver:
    """Where this deployment's ring lies: `IDP_KEY_RING` where it is set, else a file in `IDP_KEYS`.

    Either may name a command that unwraps its keys.
    """
    base: Driver = Environment(settings.key_ring) if settings.key_ring else File(settings.keys / "kek.json")
    document = base.read()
    argv = document.get("command") if document else None
    return base if argv is None else Command(base, argv)


def exists(settings: Settings) -> bool:
    """Whether there is a ring at all."""
    return driver(settings).read() is not None


def load(settings: Settings) -> Ring:
    """The ring of this deployment. Raises ConfigError naming the setting and what to do."""
    source = driver(settings)
    document = source.read()
    if document is None:
        raise ConfigError(source.setting, f"holds no key ring ({source.where}); restore it from its backup")
    return _parse(document, source)


def ensure(settings: Settings, data_exists: bool) -> Ring:
    """The ring; made new only where neither it nor data exists.

    Raises ConfigError when there is data but no ring: a new key could open nothing of it.
    """
    source = driver(settings)
    if source.read() is None:
        if data_exists:
            raise ConfigError(
                source.setting,
                f"holds no key ring ({source.where}), but the database holds data sealed under one; "
                "restore the ring from its backup, no new one is made over existing data",
            )
        save(source, Ring((make(),)))
    return load(settings)


def make() -> RingKey:
    """A new key for a ring."""
    # A hexadecimal id: unlike base64url it never begins with a dash, which a shell would take for an option.
    return RingKey(ids.digest(ids.secret())[:6].hex(), clock.now(), ids.unb64(ids.secret(_BITS)))


def added(ring: Ring, key: RingKey | None = None) -> Ring:
    """The ring with one more key, which wraps from now on."""
    return Ring((*ring.keys, key or make()))


def dropped(ring: Ring, ring_id: str) -> Ring:
    """The ring without one of its older keys. Raises UnknownRingKey; ValueError for the newest."""
    if ring.find(ring_id) == ring.newest:
        raise ValueError("the newest key of the ring wraps everything; add another one first")
    return Ring(tuple(key for key in ring.keys if key.id != ring_id))


def save(source: Driver, ring: Ring) -> None:
    """Write the ring where it came from. Raises ConfigError where that cannot be written."""
    source.write({**(source.read() or {}), "keys": _members(ring, source)})


def _parse(document: dict[str, Any], source: Driver) -> Ring:
    members = document.get("keys")
    if not isinstance(members, list) or not members:
        raise ConfigError(source.setting, f"holds a key ring without keys ({source.where})")
    try:
        keys = tuple(
            RingKey(
                str(member["id"]), datetime.fromisoformat(member["created_at"]), source.unwrap(member["key"])
            )
            for member in members
        )
    except (KeyError, TypeError, ValueError):
        # The cause would carry the ring's content into a traceback.
        raise ConfigError(source.setting, f"holds a key ring that cannot be read ({source.where})") from None
    if any(len(key.secret) != _BITS // 8 for key in keys) or len({key.id for key in keys}) != len(keys):
        raise ConfigError(
            source.setting, f"holds a key of a wrong length or the same id twice ({source.where})"
        )
    return Ring(keys)


def _members(ring: Ring, source: Driver) -> list[dict[str, str]]:
    return [
        {"id": key.id, "created_at": key.created_at.isoformat(), "key": source.wrap(key.secret)}
        for key in ring.keys
    ]


class _Process:
    ring: Ring | None = None
    looked = float("-inf")


LOOK_AGAIN = 2.0
"""Seconds between two looks at the ring's place for a key that is not on the ring in memory."""


def use(ring: Ring) -> Ring:
    """Make `ring` that of this process."""
    _Process.ring = ring
    return ring


def ring() -> Ring:
    """The ring of this process; loaded by the process's settings at the first call. Raises ConfigError."""
    return _Process.ring or use(load(process_settings()))


def holding(ring_id: str) -> Ring:
    """The ring of this process, read again where it lacks a key: an operator may have added one meanwhile."""
    present = ring()
    known = any(key.id == ring_id for key in present.keys)
    if known or clock.monotonic() - _Process.looked < LOOK_AGAIN:
        return present
    _Process.looked = clock.monotonic()
    return use(load(process_settings()))
