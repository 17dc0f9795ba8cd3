"""An installation as a whole: its roles, its schema, its key ring, and opening it for one process.

Every process that speaks for a tenant (web, worker, operators' commands) may open it the same way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from idp import directory, journal
from idp.config import Settings, use
from idp.control import schema
from idp.signing import ring
from idp.signing.ring import Ring
from idp.store import database, redis, roles


@contextmanager
def opened(settings: Settings) -> Iterator[Ring]:
    """Vault, ring and directory ready for this process, closed at the end of the block. Raises ConfigError."""
    use(settings)
    keys = ring.use(ring.load(settings))
    database.start(settings, schema.context_keys(keys))
    try:
        redis.start(settings)
        directory.start(settings)
        yield keys
    finally:
        journal.stop()
        directory.stop()
        redis.stop()
        database.stop()


def roles_sql(kind: str) -> str:
    """The SQL that makes the roles: for a `superuser`, or for whoever may make roles on a `managed` service."""
    return roles.bootstrap_sql({}, managed=kind == "managed")


def make_roles(settings: Settings, passwords: dict[str, str]) -> bool:
    """Make roles and database as the superuser; whether this call made the database. Raises Unavailable."""
    if settings.admin_database_url is None:
        return False
    return roles.create(settings.admin_database_url, passwords)


def passwords_of(settings: Settings) -> dict[str, str]:
    """The passwords that the settings' own URLs carry, by role."""
    urls = (
        settings.database_url,
        settings.ops_database_url,
        settings.migrator_database_url,
        settings.backup_database_url,
    )
    parts = [urlsplit(url) for url in urls if url]
    return {
        unquote(part.username): unquote(part.password) for part in parts if part.username and part.password
    }


def upgrade(settings: Settings, *, fresh: bool = False) -> schema.Migrated:
    """Bring the schema to its head and the context's keys up to date; the revisions before and after.

    `fresh` says that the database has just been made: only then may a key ring be made too.
    Raises ConfigError where data has lost its ring.
    """
    keys = ring.ensure(settings, data_exists=not fresh)
    return schema.upgrade(settings, keys)
