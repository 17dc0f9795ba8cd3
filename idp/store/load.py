"""Bring a backup into an empty database: schema, rows and context keys in one transaction, or nothing.

The schema of the rows' own revision is made by the migrations, with every policy and grant; the rows go in as the
tables' owner, whom row security does not bind while FORCE is off, which nobody but this transaction ever sees; then
the schema goes on to its head. No superuser is needed, so that a managed Postgres takes it too.
"""

from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql
from sqlalchemy.engine import Connection

from idp.config import ConfigError, Settings
from idp.store import migrate
from idp.store.archive import Part, Reader

MOST_BURNED = 50_000_000
"""Transactions that are spent at most to bring the counter above that of the backup: some minutes."""
_AT_ONCE = 100_000

_THERE = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'ctx', 'directory') ORDER BY 1 LIMIT 1
"""


def occupied(settings: Settings) -> str | None:
    """A table that the database has already; None where it is empty. Raises ConfigError, psycopg2.Error."""
    with closing(_migrator(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(_THERE)
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def _migrator(settings: Settings) -> Any:
    if not settings.migrator_database_url:
        raise ConfigError("IDP_MIGRATOR_DATABASE_URL", "is missing; idp restore needs the role idp_migrator")
    return psycopg2.connect(settings.migrator_database_url, connect_timeout=5, application_name="idp-restore")


def known(revision: str) -> bool:
    """Whether this program knows the revision that a backup was taken at."""
    return revision in migrate.revisions()


def load(
    settings: Settings, backup: Reader, context_keys: list[tuple[str, bytes]], *, onward: bool = True
) -> str:
    """Make the schema, put the rows in, migrate to the head unless not `onward`; the revision then.

    The caller has made sure that the database is empty.
    """

    def rows(connection: Connection) -> None:
        with closing(connection.connection.cursor()) as cursor:
            for part in backup.manifest.parts:
                _copy(cursor, backup, part)

    return migrate.restored(settings, context_keys, backup.manifest.schema, rows, onward=onward)


def _copy(cursor: Any, backup: Reader, part: Part) -> None:
    """The rows of one table, as its owner; its triggers have told the directory before the backup was taken."""
    name = sql.Identifier(part.table)
    cursor.execute("SELECT relforcerowsecurity FROM pg_class WHERE oid = to_regclass(%s)", (part.table,))
    [forced] = cursor.fetchone()
    cursor.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(name))
    cursor.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
    columns = sql.SQL(", ").join(map(sql.Identifier, part.columns))
    with backup.member(part) as member:
        cursor.copy_expert(sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns), member)
    cursor.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name))
    if forced:
        cursor.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(name))


def behind(settings: Settings, last_transaction: int) -> int:
    """How many transactions the database counts less than the audit rows that it now holds; 0 when none."""
    with closing(_migrator(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        return max(0, last_transaction + 1 - int(cursor.fetchone()[0]))


def burn(settings: Settings, count: int) -> None:
    """Spend `count` transactions: what is recorded from now on has to sort above what is sealed."""
    with closing(_migrator(settings)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            while count > 0:
                now = min(count, _AT_ONCE)
                cursor.execute(
                    f"DO $$ BEGIN FOR i IN 1..{now} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
                )
                count -= now


def settle(settings: Settings) -> None:
    """Let the planner know the new rows."""
    with closing(_migrator(settings)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE idp_owner")
            cursor.execute("ANALYZE")
