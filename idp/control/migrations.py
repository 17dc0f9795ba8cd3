"""Operators' verbs before a migration: what is pending and what it would lock, and a trial on a copy.

The copy is a backup of the deployment in a cluster that is made for it and thrown away, or in an empty one that the
operator names. Nothing is ever tried on the deployment itself.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from idp import ids
from idp.config import ConfigError, Settings
from idp.control import backups, installation, schema
from idp.embedded import scratch
from idp.errors import Conflict
from idp.prove import catalogue, database
from idp.prove.look import Look
from idp.signing import ring
from idp.store import load, plan, roles
from idp.store.plan import Revision, Seen


@dataclass(slots=True)
class Trial:
    """What the pending revisions did on a copy, and what is wrong with the wall there afterwards."""

    rows: int
    seen: list[Seen] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def pending(settings: Settings) -> tuple[Revision, ...]:
    """What `idp migrate` would run, with the locks and the work that its text tells. Raises ConfigError."""
    return plan.pending(settings)


def tried(settings: Settings, shadow: str | None, tell: Callable[[str], None]) -> Trial:
    """Run what is pending on a copy and look at the wall there. Raises Conflict where the copy's place is not empty.

    `shadow`: a superuser's URL of an empty cluster; without it one is made here and thrown away.
    """
    with tempfile.TemporaryDirectory(prefix="idp-trial-") as folder:
        tell("reading the deployment")
        file = Path(folder) / "copy"
        backups.backup(settings, file)
        tell("bringing it back elsewhere")
        with _elsewhere(settings, shadow) as copy, backups.whole(file) as backup:
            roles.create(str(copy.admin_database_url), installation.passwords_of(copy))
            if load.occupied(copy) is not None:
                raise Conflict("The shadow is not empty; a copy needs a cluster of its own.", rule="empty")
            load.load(copy, backup, schema.context_keys(ring.load(settings)), onward=False)
            load.settle(copy)
            trial = Trial(backup.manifest.rows)
            tell("running the pending revisions")
            plan.observed(copy, trial.seen.append)
            tell("looking at the wall")
            with database.asking(copy.database_url) as ask:
                trial.wrong += [each for found in catalogue.findings(Look(ask)).values() for each in found]
    return trial


@contextmanager
def _elsewhere(settings: Settings, shadow: str | None) -> Iterator[Settings]:
    """The settings of an empty cluster: the shadow, else one that ends with the block."""
    if shadow is not None:
        if urlsplit(shadow).scheme not in ("postgresql", "postgres"):
            raise ConfigError("--shadow", "must begin with postgresql://")
        if _place(shadow) in {
            _place(url) for url in (settings.database_url, settings.migrator_database_url) if url
        }:
            raise Conflict("The shadow is the deployment itself.", rule="shadow")
        yield _settings({role: _login(shadow, role, ids.secret()) for role in roles.LOGINS}, shadow)
        return
    with scratch.servers() as environment:
        yield Settings.load(environment)


def _place(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or 5432


def _login(url: str, role: str, password: str) -> str:
    parts = urlsplit(roles.with_database(url, "idp"))
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{host}"))


def _settings(urls: dict[str, str], admin: str) -> Settings:
    return Settings.load(
        {},
        env="development",
        database_url=urls["idp_app"],
        ops_database_url=urls["idp_ops"],
        migrator_database_url=urls["idp_migrator"],
        backup_database_url=urls["idp_backup"],
        admin_database_url=admin,
    )
