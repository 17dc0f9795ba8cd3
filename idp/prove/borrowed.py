"""The runtime role inside a superuser's transaction, where broken walls are tried and never committed."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from idp.prove import clock
from idp.prove.database import RUNTIME, Asks
from idp.prove.promises import NotProved
from idp.prove.rows import Table, tables
from idp.prove.target import Canary, Program, Target

_KEY_ID, _LIVES = "mutants", 600


class Borrowed:
    """A connection as probes know it, which is the runtime role inside another's transaction.

    Rolling back returns to where it was borrowed.
    """

    def __init__(self, connection: Any) -> None:
        """`connection`: a superuser's, in a transaction."""
        self._connection = connection
        self.info = connection.info
        self._do(f"SET LOCAL SESSION AUTHORIZATION {RUNTIME}; SAVEPOINT borrowed")

    def cursor(self) -> Any:
        """A cursor of the connection."""
        return self._connection.cursor()

    def rollback(self) -> None:
        """Undo what was done since it was borrowed; still the runtime role."""
        self._do("ROLLBACK TO borrowed")

    def close(self) -> None:
        """The same; the owner goes on with the transaction."""
        self.rollback()

    def _do(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)


def world(connection: Any) -> Target:
    """Two canaries with tenant, host, application and user each, under a key of ours, in the open transaction."""
    ask = _Within(connection)
    every = tables(ask)
    secret = uuid4().bytes + uuid4().bytes
    block = secret.ljust(64, b"\0")
    pads = (bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block))
    ask("INSERT INTO ctx.keys (id, inner_pad, outer_pad) VALUES (%s, %s, %s)", _KEY_ID, *pads)
    canaries = []
    for slug in ("canary-a", "canary-b"):
        tenant = uuid4()
        _insert(ask, every["tenants"], tenant, tenant, slug=f"'{slug}-{tenant}'", status="'active'")
        _insert(ask, every["hosts"], tenant, uuid4())
        _insert(ask, every["enabled_applications"], tenant, uuid4())
        _insert(ask, every["users"], tenant, uuid4())
        canaries.append(_canary(slug, tenant, secret))
    return Target(
        base_url="", management_url=None, database_url="", owner_database_url=None, redis_url="",
        redis_admin_url=None, routes=(), a=canaries[0], b=canaries[1], program=Program((), {}),
    )  # fmt: skip


class _Within(Asks):
    """Questions and changes that stay in the transaction."""

    def __call__(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []


def _insert(ask: Asks, table: Table, tenant: UUID, identifier: UUID, **changes: str) -> None:
    names, values = table.row(tenant, identifier, **changes)
    ask(f"INSERT INTO {table.name} ({names}) VALUES ({values})")


def _canary(slug: str, tenant: UUID, secret: bytes) -> Canary:
    def signed(lives: int) -> str:
        message = f"v1.{_KEY_ID}.{tenant}.{clock.epoch() + lives}"
        return f"{message}.{hmac.digest(secret, message.encode(), 'sha256').hex()}"

    return Canary(slug, str(tenant), "", {}, {}, context=signed(_LIVES), expired=signed(-60))


@contextmanager
def lent(connection: Any, target: Target, only: frozenset[str] | None) -> Iterator[Target]:
    """The target with the superuser's `connection` lent to every probe, which tries the tables `only` (None: all)."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT lent")
        try:
            kept: dict[str, Any] = {"connection": Borrowed(connection), "per_second": float("inf")}
            if only is not None:
                kept["tables"] = only
            yield replace(target, kept=kept)
        finally:
            cursor.execute("ROLLBACK TO lent")


def superuser(connection: Any) -> None:
    """Raises NotProved where the connection is no superuser's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() != (True,):
            raise NotProved(
                "The shadow's URL is no superuser's; mutants change roles and policies, and roll back."
            )
