"""Bring the database to the schema of this code, with the context keys that the key ring derives."""

from dataclasses import dataclass

from idp.config import Settings
from idp.signing.ring import Ring
from idp.store import revision

CONTEXT = b"tenant-context"
"""What the key ring derives the key of signed tenant contexts for."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """The revisions before and after."""

    before: str | None
    after: str


def upgrade(settings: Settings, ring: Ring) -> Migrated:
    """Migrate to the head and keep the ring's context keys in Postgres. Raises ConfigError."""
    from idp.store import migrate  # loads Alembic, which no other command needs

    before, after = migrate.upgrade(settings, context_keys(ring))
    return Migrated(before, after)


def context_keys(ring: Ring) -> list[tuple[str, bytes]]:
    """(id, key) of every key-encryption key's context key, newest first."""
    return ring.derive_all(CONTEXT)


def head() -> str:
    """The revision that this code needs."""
    return revision.head()
