"""Attempts of the runtime role in one transaction: each is undone at once, none is committed.

Statements are spaced, so that a proof on a busy system stays a small part of its load.
"""

import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from idp.prove.database import session
from idp.prove.pace import Pace
from idp.prove.target import Target

PER_SECOND = 2500
"""Statements of one connection at most."""
DENIED = "42501"
"""insufficient_privilege (SQLSTATE): no grant, or a row that the policy refuses."""
BAD = ("IDP01", "IDP02")
"""A context that has expired, and one that is forged."""
_AWAY = ("08", "53", "57", "58", "55P03", "40P01", "40001")
_LOCKED_TRIES, _LOCKED_PAUSE = 20, 0.2
"""How often a table is tried that somebody else holds, such as a vacuum, and the seconds between."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement answered: rows and how many, or the SQLSTATE and text of its error."""

    code: str = ""
    text: str = ""
    rows: tuple[Any, ...] = ()
    touched: int = 0

    @property
    def nothing(self) -> bool:
        """Whether it showed and changed nothing."""
        return bool(self.code) or (not self.rows and self.touched <= 0)

    @property
    def masked(self) -> tuple[str, str, str, int]:
        """The answer without the ids that were asked for, to compare foreign with absent."""
        return self.code, _UUID.sub("…", self.text), _UUID.sub("…", repr(self.rows)), self.touched

    def __str__(self) -> str:
        """In words, for a finding."""
        if self.code:
            return f"{self.code} {self.text.splitlines()[0] if self.text else ''}".strip()
        return f"{len(self.rows)} rows shown" if self.rows else f"{self.touched} rows touched"


class Attacker:
    """One connection of the runtime role."""

    def __init__(self, connection: Any, per_second: float = PER_SECOND) -> None:
        """`connection`: open, and in no transaction; `per_second`: statements at most."""
        self.connection = connection
        self._pace = Pace(per_second)

    def begin(self) -> None:
        """Begin a transaction that `end` rolls back."""
        self.connection.rollback()
        with self.connection.cursor() as cursor:
            # Whoever waits for a lock holds up those who come after it: short waits, and several of them.
            cursor.execute("SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '100ms'")

    def end(self) -> None:
        """Undo everything."""
        self.connection.rollback()

    def attempt(self, statement: str, context: str | None = None) -> Answer:
        """What `statement` answers under `context`, undone. None leaves the context as it is."""
        return self._run(statement, context, kept=False)

    def keep(self, statement: str, context: str | None = None) -> Answer:
        """The same, staying in the transaction where it works."""
        return self._run(statement, context, kept=True)

    def _run(self, statement: str, context: str | None, *, kept: bool) -> Answer:
        for _ in range(_LOCKED_TRIES):
            try:
                return self._once(statement, context, kept=kept)
            except psycopg2.errors.LockNotAvailable:
                with self.connection.cursor() as cursor:
                    cursor.execute("ROLLBACK TO attempt")
                time.sleep(_LOCKED_PAUSE)
        # Whoever still holds it may be the cleaning of the table, which gives way to those who wait for a second.
        with self.connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1800ms'")
        answer = self._once(statement, context, kept=kept)
        with self.connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '100ms'")
        return answer

    def _once(self, statement: str, context: str | None, *, kept: bool) -> Answer:
        self._pace.wait()
        with self.connection.cursor() as cursor:
            cursor.execute("SAVEPOINT attempt")
            try:
                if context is not None:
                    cursor.execute("SELECT set_config('app.ctx', %s, true)", (context,))
                answer = (
                    _copied(cursor, statement) if statement.startswith("COPY") else _asked(cursor, statement)
                )
            except psycopg2.Error as error:
                if error.pgcode is None or error.pgcode.startswith(_AWAY):
                    raise
                answer = Answer(error.pgcode, str(error.pgerror or ""))
            if not kept or answer.code:
                cursor.execute("ROLLBACK TO attempt")
        return answer


def _asked(cursor: Any, statement: str) -> Answer:
    cursor.execute(statement)
    if cursor.description:
        return Answer(rows=tuple(cursor.fetchall()))
    return Answer(touched=cursor.rowcount)


def _copied(cursor: Any, statement: str) -> Answer:
    told = io.StringIO()
    cursor.copy_expert(statement, told)
    return Answer(rows=tuple(told.getvalue().splitlines()))


@contextmanager
def attacking(target: Target) -> Iterator[Attacker]:
    """A connection as the runtime role, closed at the end. Raises NotProved."""
    with session(target) as connection:
        yield Attacker(connection, target.kept.get("per_second", PER_SECOND))
