"""Sessions of the runtime role, and contexts as the application signs them."""

import hmac
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

import psycopg2

from idp.control import schema
from idp.signing import ring


def keys() -> list[tuple[str, bytes]]:
    """The context keys of this deployment, newest first."""
    return schema.context_keys(ring.ring())


def context(tenant: UUID, *, lives: int = 30, key: tuple[str, bytes] | None = None) -> str:
    """A context as the application signs it, ending `lives` seconds from now."""
    name, secret = key or keys()[0]
    message = f"v1.{name}.{tenant}.{int(time.time()) + lives}"
    return f"{message}.{hmac.digest(secret, message.encode(), 'sha256').hex()}"


class Session:
    """One connection as `idp_app`, each verb a transaction of its own that is rolled back."""

    def __init__(self, url: str) -> None:
        """`url`: with the runtime role's name and password."""
        self.connection = psycopg2.connect(url)

    def __call__(self, statement: str, *values: Any, as_: str | None = None) -> list[tuple[Any, ...]]:
        """Rows of a statement, under the context `as_`; for one without rows, how many it touched."""
        try:
            with self.connection.cursor() as cursor:
                if as_ is not None:
                    cursor.execute("SELECT set_config('app.ctx', %s, true)", (as_,))
                cursor.execute(statement, values or None)
                return list(cursor.fetchall()) if cursor.description else [(cursor.rowcount,)]
        finally:
            self.connection.rollback()

    def refused(self, statement: str, *values: Any, as_: str | None = None) -> tuple[str, str]:
        """The SQLSTATE and text with which a statement fails; ("", rows) when it does not."""
        try:
            return "", repr(self(statement, *values, as_=as_))
        except psycopg2.Error as error:
            return str(error.pgcode), str(error.pgerror)


@contextmanager
def session(url: str) -> Iterator[Session]:
    """A session that is closed at the end."""
    made = Session(url)
    with closing(made.connection):
        yield made
