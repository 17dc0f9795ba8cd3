"""Operators' verbs for loss: a backup of every row, and its way back into an empty cluster, looked at afterwards.

The key-encryption key is in no backup: whoever holds both holds every tenant. A restore needs the ring that sealed
the backup's signing keys, and refuses before it writes anything where that is another one.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from idp import seals
from idp.config import ConfigError, Settings
from idp.control import installation, record, schema
from idp.errors import Conflict, Invalid
from idp.prove import catalogue, database
from idp.prove.look import Look
from idp.signing import opening, ring
from idp.store import dump, load
from idp.store.archive import Damaged, Manifest, Reader
from idp.tenants import entered


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: how much, at which revision, from when; `behind`: transactions that the counter lacks."""

    rows: int
    schema: str
    taken_at: str
    behind: int


@dataclass(slots=True)
class Verified:
    """What was looked at after a restore; `wrong` says in words what does not hold."""

    rules: int = 0
    keys: int = 0
    tenants: int = 0
    wrong: list[str] = field(default_factory=list)


def backup(settings: Settings, path: Path) -> Manifest:
    """Write a backup of one instant to `path`, whole or not at all, for its owner alone.

    Raises Conflict where the file is there already, Invalid where it cannot be written, ConfigError.
    """
    if path.exists():
        raise Conflict(f"{path} is there already; a backup is not written over another one.", rule="file")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            manifest = dump.write(settings, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError as problem:
        raise Invalid(f"{path} cannot be written: {problem.strerror}.", rule="file") from None
    finally:
        part.unlink(missing_ok=True)
    return manifest


@contextmanager
def whole(path: Path) -> Iterator[Reader]:
    """The backup in a file, read through once. Raises Invalid where it is not as it was written."""
    try:
        backup = Reader(path)
    except Damaged as problem:
        raise Invalid(str(problem), rule="file") from None
    with closing(backup):
        yield backup


def restore(settings: Settings, backup: Reader) -> Restored:
    """Bring a backup into an empty cluster: roles, schema, rows, context keys; all of it or nothing.

    Raises Invalid for one of a later program, Conflict where something is there already, ConfigError where the
    key ring is another one.
    """
    manifest = backup.manifest
    held = _ring_for(settings, manifest)
    if not load.known(manifest.schema):
        raise Invalid(
            f"The backup is of schema {manifest.schema}, which this program does not know; "
            f"restore it with idp {manifest.version} or later.",
            rule="schema",
        )
    installation.make_roles(settings, installation.passwords_of(settings))
    there = load.occupied(settings)
    if there is not None:
        raise Conflict(
            f"The database holds {there} already; a backup is restored into an empty cluster only.",
            rule="empty",
        )
    revision = load.load(settings, backup, schema.context_keys(held))
    load.settle(settings)
    return Restored(manifest.rows, revision, manifest.taken_at, _counted(settings, manifest))


def _counted(settings: Settings, manifest: Manifest) -> int:
    """Bring the counter of transactions above the backup's, where that takes minutes; by how much it is below then."""
    behind = load.behind(settings, manifest.last_transaction)
    if not 0 < behind <= load.MOST_BURNED:
        return behind
    load.burn(settings, behind)
    return load.behind(settings, manifest.last_transaction)


def _ring_for(settings: Settings, manifest: Manifest) -> ring.Ring:
    held = ring.load(settings)
    missing = set(manifest.ring_keys) - {key.id for key in held.keys}
    if missing:
        source = ring.driver(settings)
        raise ConfigError(
            source.setting,
            f"holds a key ring without {', '.join(sorted(missing))}, which sealed this backup's signing keys "
            f"({source.where}); restore the ring that belongs to it first",
        )
    return held


def verify(settings: Settings) -> Verified:
    """Look at what came back, in an installation that is opened: the wall, the keys, the audit's chain.

    A signing key that opens and belongs to the public half that is published verifies every token it ever signed.
    """
    found = Verified()
    with database.asking(settings.database_url) as ask:
        look = Look(ask)
        found.rules = len(catalogue.every_rule())
        for sentences in catalogue.findings(look).values():
            found.wrong += [f"the wall: {sentence}" for sentence in sentences]
    for tenant in record.every():
        found.tenants += 1
        with entered(tenant):
            opened, broken = opening.look()
            found.keys += opened
            found.wrong += [f"{tenant.slug}: {sentence}" for sentence in broken]
            found.wrong += [f"{tenant.slug}: {sentence}" for sentence in seals.verify().broken]
    return found
