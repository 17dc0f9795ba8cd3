"""Sessions of the runtime role, contexts good and bad, and a row of every table for both of the twins."""

import hmac
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

import psycopg2

from idp.control import schema
from idp.prove.allowed import CONTROL_PLANE, TENANT
from idp.signing import ring
from idp.store.context import Signer

BOTH = UUID("00000000-0000-7000-8000-00000000b074")
"""The id of a row that each of the twins has in every table."""
THEIRS = UUID("00000000-0000-7000-8000-00000000f0e1")
"""The id of a row that globex alone has in every table."""
ABSENT = UUID("00000000-0000-7000-8000-00000000ab5e")
"""An id that nobody has."""
TABLES = sorted(TENANT)
SEEN = sorted([*TENANT, *CONTROL_PLANE])

_VALUES = {
    "uuid": "", "text": "'{id}'", "bytea": "'{id}'::text::bytea", "jsonb": "'{{}}'", "text[]": "'{{}}'",
    "timestamp with time zone": "'2026-01-01Z'", "integer": "{number}", "bigint": "{number}", "boolean": "false",
    "xid8": "pg_current_xact_id()",
}  # fmt: skip


def columns_of(database: Any, table: str) -> dict[str, tuple[str, bool]]:
    """Column → (type, required), in the table's order."""
    return {
        name: (kind, required)
        for name, kind, required in database(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            f"public.{table}",
        )
    }


def row_of(database: Any, table: str, tenant: UUID, row: UUID, **changes: str) -> tuple[str, str]:
    """Columns and values, as SQL, of a row whose every identifier and text is `row`."""
    names, values = [], []
    for name, (kind, required) in columns_of(database, table).items():
        if (
            required
            or name in changes
            or (table, name) == ("role_members", "user_id")
            or name.endswith("_norm")
        ):
            names.append(name)
            plain = _VALUES[kind].format(id=row, number=row.int % 10_000)
            value = f"'{tenant if name == 'tenant_id' else row}'" if kind == "uuid" else plain
            values.append(changes.get(name, value))
    return ", ".join(names), ", ".join(values)


def fill(database: Any, acme: UUID, globex: UUID) -> None:
    """One row in every table for each twin under one id, and a second one that globex alone has."""
    statements = []
    for table in TABLES:
        for tenant, row in ((acme, BOTH), (globex, BOTH), (globex, THEIRS)):
            names, values = row_of(database, table, tenant, row)
            statements.append(f"INSERT INTO public.{table} ({names}) VALUES ({values})")
    database("; ".join(["SET LOCAL session_replication_role = replica", *statements]))


def keys() -> list[tuple[str, bytes]]:
    """The context keys of this deployment, newest first."""
    return schema.context_keys(ring.ring())


def context(tenant: UUID, *, lives: int = 30, key: tuple[str, bytes] | None = None) -> str:
    """A context as the application signs it, ending `lives` seconds from now."""
    name, secret = key or keys()[0]
    message = f"v1.{name}.{tenant}.{int(time.time()) + lives}"
    return f"{message}.{hmac.digest(secret, message.encode(), 'sha256').hex()}"


def bad_contexts(acme: UUID, globex: UUID) -> dict[str, str]:
    """Contexts that must open nothing, by what is wrong with them."""
    good = Signer(keys()).sign(acme)
    version, name, tenant, expiry, mac = good.split(".")
    return {
        "garbage": "garbage",
        "a bare tenant": str(globex),
        "five empty parts": "....",
        "no signature": f"{version}.{name}.{globex}.{expiry}.",
        "another tenant under the same signature": f"{version}.{name}.{globex}.{expiry}.{mac}",
        "a later end under the same signature": f"{version}.{name}.{tenant}.{int(expiry) + 9999}.{mac}",
        "a signature of zeros": f"{version}.{name}.{globex}.{expiry}.{'0' * 64}",
        "an unknown key": f"{version}.nokey.{globex}.{expiry}.{mac}",
        "a key of one's own": context(globex, key=(name, b"k" * 32)),
        "another version": f"v2.{name}.{tenant}.{expiry}.{mac}",
        "quoting": f"v1.{name}.' OR true --.{expiry}.{mac}",
        "one part too many": f"{good}.x",
        "expired": context(globex, lives=-1),
    }


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
