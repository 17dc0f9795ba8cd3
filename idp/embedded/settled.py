"""Whether roles and schema of the embedded Postgres are as this code makes them, told without loading what makes them.

Loading that takes a second of each start, and nearly every start finds everything made.
"""

import hashlib
from contextlib import closing
from pathlib import Path

import psycopg2

from idp import paths
from idp.config import Settings

_MAKERS = ("store/roles.py", "store/migrate.py", "control/installation.py", "control/schema.py")
"""What decides how roles, schema and context keys come to be."""


def mark(settings: Settings) -> str:
    """What the makers, the migrations and the key ring's files are at this moment, as one digest."""
    told = hashlib.sha256()
    for path in (*(paths.PACKAGE / name for name in _MAKERS), *_migrations()):
        told.update(path.name.encode() + b"\x00" + path.read_bytes() + b"\x00")
    for path in sorted(Path(settings.keys).iterdir()):
        seen = path.stat()
        told.update(f"{path.name} {seen.st_size} {seen.st_mtime_ns}\x00".encode())
    return told.hexdigest()


def at_head(settings: Settings) -> bool:
    """Whether the database is there, at the newest migration, and lets the runtime role in."""
    if settings.migrator_database_url is None:
        return False
    head = _migrations()[-1].name.partition("_")[0]
    try:
        psycopg2.connect(settings.database_url, connect_timeout=5).close()
        with (
            closing(psycopg2.connect(settings.migrator_database_url, connect_timeout=5)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SET ROLE idp_owner")
            cursor.execute("SELECT version_num FROM alembic_version")
            return bool(cursor.fetchall() == [(head,)])
    except psycopg2.Error:
        return False


def _migrations() -> list[Path]:
    return sorted((paths.migrations() / "versions").glob("[0-9]*.py"))
