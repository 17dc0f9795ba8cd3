"""Raw connections to Postgres for the proof: few, short, never committing, and one proof at a time.

Owns the first look: whether there is a Postgres, whether the role is the right one, whether it can be written.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg2

from idp.prove.promises import NotProved

if TYPE_CHECKING:
    from idp.prove.target import Target

RUNTIME = "idp_app"
_ONE = 7_205_759_403_792_795
"""The name of the lock that one proof at a time holds in a database."""
STATEMENT = "SET LOCAL statement_timeout = '2s'"

_LOOK = """
SELECT current_user, pg_is_in_recovery(), current_setting('server_version'),
    (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
"""


def connect(url: str) -> Any:
    """A connection. Raises NotProved with the address that does not answer, never with a password."""
    try:
        return psycopg2.connect(url, connect_timeout=5, application_name="idp-prove")
    except psycopg2.OperationalError as problem:
        said = (str(problem).strip().splitlines() or ["no reason given"])[0]
        raise NotProved(f"Postgres cannot be reached: {said}") from None


class Asks:
    """Questions to one connection, each in a transaction of its own that is rolled back."""

    def __init__(self, connection: Any) -> None:
        """`connection`: open, and in no transaction."""
        self.connection = connection

    def __call__(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement. Raises psycopg2.Error."""
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(STATEMENT)
                cursor.execute(statement, values or None)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            self.connection.rollback()


@contextmanager
def session(where: "Target | str") -> Iterator[Any]:
    """A connection as the runtime role of the target, or to an address; one that was lent is given back.

    Raises NotProved.
    """
    lent = None if isinstance(where, str) else where.kept.get("connection")
    with closing(lent or connect(where if isinstance(where, str) else where.database_url)) as connection:
        yield connection


@contextmanager
def asking(where: "Target | str") -> Iterator[Asks]:
    """Questions as the runtime role of the target, or as the role of an address. Raises NotProved."""
    with session(where) as connection:
        yield Asks(connection)


def look(url: str, schema: str) -> str:
    """See whether a proof can be made here at all; the server's version. Raises NotProved.

    `schema`: the revision that the product's commands need.
    """
    with asking(url) as ask:
        [(role, replica, version, powerful)] = ask(_LOOK)
        if role != RUNTIME or powerful:
            raise NotProved(
                f"The database URL logs in as {role}; a proof is made as {RUNTIME}, the role whose walls it tries."
            )
        if replica:
            raise NotProved("The database URL leads to a read-only replica; a proof needs the primary.")
        try:
            [(present,)] = ask("SELECT version_num FROM public.alembic_version")
        except (psycopg2.ProgrammingError, ValueError):
            raise NotProved("The database has no schema, or half of one; run idp migrate.") from None
        if schema and present != schema:
            raise NotProved(f"The schema is at {present} and this program needs {schema}; run idp migrate.")
    return str(version)


class Taken(NotProved):
    """Another proof holds the lock."""


@contextmanager
def alone(url: str) -> Iterator[None]:
    """Be the only proof in this database. Raises Taken where another one runs, NotProved.

    The lock belongs to an open transaction: it ends with this process, however that ends.
    """
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (_ONE,))
        if cursor.fetchone() != (True,):
            raise Taken("Another proof runs in this database; wait until it has ended.")
        yield
        connection.rollback()
