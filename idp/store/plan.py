"""The revisions that a database still lacks: what they say, and, on a copy, what they really do."""

import io
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from alembic import command
from sqlalchemy import event
from sqlalchemy.engine import Connection

from idp import clock
from idp.config import Settings
from idp.store import ddl, migrate
from idp.store.ddl import Effect

_SIZES = """
SELECT c.relname, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')
"""
_LOCKS = """
SELECT DISTINCT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = %s AND l.locktype = 'relation' AND n.nspname IN ('public', 'ctx', 'directory') AND c.relkind = 'r'
"""
_FILES = """
SELECT relname, pg_relation_filenode(oid) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""
_WEAK = frozenset({"AccessShareLock", "RowShareLock", "RowExclusiveLock"})
"""Locks that every request of ours takes as well."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement: its text, its effect, the rows and bytes of its table, a guess of seconds."""

    statement: str
    effect: Effect
    rows: int = 0
    size: int = 0

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return ddl.seconds(self.effect.work, self.size)


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision that is pending, and its statements."""

    revision: str
    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one execution of a migration did on a copy: locks it added, tables it wrote anew, seconds."""

    revision: str
    statement: str
    locks: tuple[tuple[str, str], ...]
    rewritten: tuple[str, ...]
    seconds: float


def pending(settings: Settings) -> tuple[Revision, ...]:
    """The revisions between the database and this code, with what their text tells. Raises ConfigError."""
    with migrate.connected(settings) as connection:
        present = migrate.at(connection)
        sizes = {name: (size, rows) for name, size, rows in connection.exec_driver_sql(_SIZES)}
    return tuple(
        Revision(
            script.revision,
            script.doc.splitlines()[0],
            tuple(_steps(script.down_revision, script.revision, sizes)),
        )
        for script in migrate.scripts_after(present)
    )


def _steps(down: object, revision: str, sizes: dict[str, tuple[int, int]]) -> Iterator[Step]:
    if down is None:
        return  # the first revision makes everything new: there is nothing yet that could be locked
    script = io.StringIO()
    command.upgrade(migrate.offline(script), f"{down}:{revision}", sql=True)
    for statement in ddl.statements(script.getvalue()):
        if statement in ("BEGIN", "COMMIT") or "alembic_version SET version_num" in statement:
            continue
        found = ddl.effect(statement)
        size, rows = sizes.get((found.table or "").removeprefix("public."), (0, 0))
        yield Step(statement, found, rows, size)


def observed(settings: Settings, tell: Callable[[Seen], None]) -> None:
    """Run the pending revisions on a copy, and tell what each execution really locked and wrote anew.

    `settings`: of the copy, with a superuser in its own database. Raises ConfigError.
    """
    watch = psycopg2.connect(migrate.inside(settings))
    with closing(watch), migrate.connected(settings) as connection:
        watch.autocommit = True
        for script in migrate.scripts_after(migrate.at(connection)):
            connection.rollback()
            with _watched(connection, watch, script.revision, tell):
                migrate.step(connection, script.revision)


@contextmanager
def _watched(
    connection: Connection, watch: Any, revision: str, tell: Callable[[Seen], None]
) -> Iterator[None]:
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    there = _filenodes(connection)
    connection.rollback()
    held: set[tuple[str, str]] = set()
    state: dict[str, Any] = {}

    def before(conn: Connection, _cursor: Any, _statement: str, *_rest: Any) -> None:
        state["files"], state["began"] = _filenodes(conn), clock.monotonic()

    def after(conn: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        took = clock.monotonic() - state["began"]
        files = _filenodes(conn)
        rewritten = [name for name, node in state["files"].items() if files.get(name, node) != node]
        with watch.cursor() as cursor:
            cursor.execute(_LOCKS, (pid,))
            found = {
                (table, mode) for table, mode in cursor.fetchall() if table in there and mode not in _WEAK
            }
        added = sorted(found - held)
        held.update(found)
        if added or rewritten:
            tell(Seen(revision, statement.strip(), tuple(added), tuple(rewritten), took))

    event.listen(connection, "before_cursor_execute", before)
    event.listen(connection, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", before)
        event.remove(connection, "after_cursor_execute", after)


def _filenodes(connection: Connection) -> dict[str, int]:
    """Which file each table's rows lie in, as the migration itself sees it; asked beside its own statements."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(_FILES)
        return dict(cursor.fetchall())
