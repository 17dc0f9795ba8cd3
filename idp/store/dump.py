"""Write a backup: every row of every table, as `idp_backup`, of one instant.

The role reads past row security and writes nothing. `row_security = off` makes Postgres refuse where a policy would
still hide rows, so that no backup is silently short.
"""

from collections.abc import Iterator
from contextlib import closing
from graphlib import TopologicalSorter
from typing import IO, Any

import psycopg2
from psycopg2 import sql

from idp import __version__, clock
from idp.config import ConfigError, Settings
from idp.store.archive import Manifest, Part, Writer

_TABLES = """
SELECT c.oid::regclass::text,
    (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''),
    has_table_privilege(c.oid, 'SELECT')
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND c.relname <> 'alembic_version' ORDER BY 1
"""
_REFERENCES = """
SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conrelid <> confrelid
"""


def _connected(settings: Settings) -> Any:
    """A connection as the backup role, reading one instant."""
    if not settings.backup_database_url:
        raise ConfigError("IDP_BACKUP_DATABASE_URL", "is missing; idp backup reads as the role idp_backup")
    connection = psycopg2.connect(
        settings.backup_database_url, connect_timeout=5, application_name="idp-backup"
    )
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    return connection


def write(settings: Settings, file: IO[bytes]) -> Manifest:
    """Write a backup to `file`; what it holds. Raises ConfigError."""
    try:
        return _written(settings, file)
    except psycopg2.Error as problem:
        said = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ConfigError("IDP_BACKUP_DATABASE_URL", f"does not let everything be read: {said}") from None


def _written(settings: Settings, file: IO[bytes]) -> Manifest:
    with (
        closing(_connected(settings)) as connection,
        connection.cursor() as cursor,
        closing(Writer(file)) as writer,
    ):
        cursor.execute("SET LOCAL search_path = public, pg_catalog")
        cursor.execute("SET LOCAL row_security = off")
        schema, postgres = _versions(cursor)
        parts = tuple(_copied(cursor, writer, table, columns) for table, columns in _tables(cursor))
        manifest = Manifest(
            version=__version__,
            schema=schema,
            postgres=postgres,
            taken_at=clock.now().isoformat(timespec="seconds"),
            last_transaction=_last_transaction(cursor),
            ring_keys=_ring_keys(cursor),
            parts=parts,
        )
        writer.finish(manifest)
    return manifest


def _versions(cursor: Any) -> tuple[str, str]:
    cursor.execute("SELECT to_regclass('public.alembic_version'), current_setting('server_version')")
    table, postgres = cursor.fetchone()
    if table is None:
        raise ConfigError("IDP_BACKUP_DATABASE_URL", "leads to a database without a schema")
    cursor.execute("SELECT version_num FROM alembic_version")
    return str(cursor.fetchone()[0]), str(postgres)


def _tables(cursor: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each table with its columns, referenced ones first. Raises ConfigError for one that cannot be read."""
    cursor.execute(_TABLES)
    found = {table: (tuple(columns), readable) for table, columns, readable in cursor.fetchall()}
    cursor.execute(_REFERENCES)
    order: TopologicalSorter[str] = TopologicalSorter({table: [] for table in found})
    for table, needed in cursor.fetchall():
        order.add(table, needed)
    for table in order.static_order():
        columns, readable = found[table]
        if not readable:
            raise ConfigError("IDP_BACKUP_DATABASE_URL", f"logs in as a role that may not read {table}")
        yield table, columns


def _copied(cursor: Any, writer: Writer, table: str, columns: tuple[str, ...]) -> Part:
    statement = sql.SQL("COPY {} ({}) TO STDOUT").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with writer.member(table) as member:
        cursor.copy_expert(statement, member)
    return Part(table, columns, member.rows, member.sha.hexdigest())


def _last_transaction(cursor: Any) -> int:
    cursor.execute("SELECT xid::text FROM audit_log ORDER BY xid DESC LIMIT 1")
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _ring_keys(cursor: Any) -> tuple[str, ...]:
    cursor.execute("SELECT DISTINCT kek_id FROM signing_keys WHERE length(sealed) > 0 ORDER BY 1")
    return tuple(name for (name,) in cursor.fetchall())
