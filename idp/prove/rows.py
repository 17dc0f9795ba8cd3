"""Rows of both canaries in every table, generated from the catalogue, so that there is something to steal.

They are inserted as the runtime role under each canary's own context, inside a transaction that is never
committed. Every identifier and text of a row is one UUID, so that a row's parents are the rows of the same UUID.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from idp.prove.attempts import Attacker
from idp.prove.database import Asks
from idp.prove.promises import Tally
from idp.prove.target import Canary, Target

_VALUES = {
    "uuid": "'{id}'", "text": "'{id}'", "character varying": "'{id}'", "bytea": "'{id}'::text::bytea",
    "jsonb": "'{{}}'", "json": "'{{}}'", "text[]": "'{{}}'", "uuid[]": "'{{}}'", "boolean": "false",
    "timestamp with time zone": "'2099-01-01Z'", "date": "'2099-01-01'", "inet": "'192.0.2.1'",
    "integer": "{number}", "bigint": "{number}", "smallint": "{number}", "numeric": "{number}",
    "double precision": "{number}", "interval": "'1 day'", "xid8": "pg_current_xact_id()",
}  # fmt: skip

_TABLES = """
SELECT c.oid::regclass::text, has_table_privilege(c.oid, 'INSERT') AND c.relkind IN ('r', 'p'),
    a.attname, format_type(a.atttypid, NULL), a.attnotnull, has_column_privilege(c.oid, a.attnum, 'UPDATE'),
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey)),
    (SELECT k.confrelid::regclass::text FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'
        AND a.attnum = ANY (k.conkey) AND a.attname <> 'tenant_id' LIMIT 1)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_(toast|temp)' AND c.oid >= 16384
    AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
    AND (c.oid = to_regclass('public.tenants') OR EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid
        AND t.attname = 'tenant_id' AND NOT t.attisdropped))
ORDER BY 1, a.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue tells it; `parent` is the table that it refers to."""

    name: str
    kind: str
    required: bool
    changes: bool
    """Whether the runtime role may change it."""
    unique: bool
    parent: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of tenants' rows."""

    name: str
    planted: bool
    """Whether the runtime role may make rows; else operators did."""
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """The column that names the tenant."""
        return "tenant_id" if any(column.name == "tenant_id" for column in self.columns) else "id"

    @property
    def references(self) -> tuple[Column, ...]:
        """The columns that refer to other rows of the tenant."""
        return tuple(column for column in self.columns if column.parent)

    @property
    def plain(self) -> str:
        """A column that an UPDATE names: one that the runtime role may change, where there is one."""
        rest = [column for column in self.columns if column.name not in ("tenant_id", "id")]
        return next((c.name for c in sorted(rest, key=lambda column: not column.changes)), "id")

    def row(self, tenant: Any, identifier: UUID, also: Iterable[str] = (), **changes: str) -> tuple[str, str]:
        """Columns and values, as SQL, of a row; optional columns only where unique, `also` or changed.

        Raises KeyError for a type of which no value is known.
        """
        names, values = [], []
        for column in self.columns:
            optional = column.unique and not column.parent
            if column.required or optional or column.name in also or column.name in changes:
                names.append(f'"{column.name}"')
                plain = _VALUES[column.kind].format(id=identifier, number=identifier.int % 10_000)
                own = f"'{tenant}'" if column.name == "tenant_id" else plain
                values.append(changes.get(column.name, own))
        return ", ".join(names), ", ".join(values)


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of the planted rows."""

    both: UUID
    """A row that each canary has in every table."""
    theirs: UUID
    """A row that B alone has."""
    absent: UUID
    """Nobody's row, and nobody's tenant."""
    made: UUID
    """A row that an attempt makes."""

    @classmethod
    def fresh(cls) -> "Ids":
        """New ones."""
        return cls(uuid4(), uuid4(), uuid4(), uuid4())


def tables(ask: Asks) -> dict[str, Table]:
    """Every table that has a tenant and a schema that the runtime role may look into, by name."""
    found: dict[str, Table] = {}
    for name, planted, *column in ask(_TABLES):
        before = found[name].columns if name in found else ()
        found[name] = Table(name, planted, (*before, Column(*column)))
    return found


class NotPlanted(Exception):
    """A table in which no row could be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Field:
    """One transaction in which both canaries have rows in `table` and in all that it refers to."""

    attacker: Attacker
    table: Table
    every: Mapping[str, Table]
    ids: Ids
    a: Canary
    b: Canary
    optional: tuple[str, ...]
    """Optional references that a row of `table` needs."""

    def insert(self, tenant: Any, identifier: UUID, **changes: str) -> str:
        """An INSERT of a row of `table` whose parents are those of `identifier`."""
        names, values = self.table.row(tenant, identifier, self.optional, **changes)
        return f"INSERT INTO {self.table.name} ({names}) VALUES ({values})"


def plant(attacker: Attacker, table: Table, every: Mapping[str, Table], a: Canary, b: Canary) -> Field:
    """Begin a transaction and put the rows into it. Raises NotPlanted."""
    attacker.begin()
    ids = Ids.fresh()
    optional: tuple[str, ...] = ()
    if not table.planted:
        ids = replace(ids, both=_operators(attacker, table, a), theirs=_operators(attacker, table, b))
        return Field(attacker, table, every, ids, a, b, optional)
    for each in _with_parents(table, every):
        for canary, identifier in ((b, ids.theirs), (b, ids.both), (a, ids.both)):
            optional = _put(attacker, each, canary, identifier)
    return Field(attacker, table, every, ids, a, b, optional)


def _operators(attacker: Attacker, table: Table, canary: Canary) -> UUID:
    """The id of a canary's row that operators made. Raises NotPlanted."""
    seen = attacker.attempt(f"SELECT id FROM {table.name} LIMIT 1", canary.context)
    if len(seen.rows) != 1:
        raise NotPlanted(f"operators write it, and a canary has none: {seen}")
    return UUID(str(seen.rows[0][0]))


def _with_parents(table: Table, every: Mapping[str, Table], above: tuple[str, ...] = ()) -> Iterator[Table]:
    """What `table` refers to, first the furthest, then itself; each once."""
    seen: list[str] = []
    for column in table.references:
        parent = every.get(column.parent or "")
        if parent is not None and parent.name not in (table.name, *above):
            for each in _with_parents(parent, every, (*above, table.name)):
                if each.name not in seen:
                    seen.append(each.name)
                    yield each
    yield table


def _put(attacker: Attacker, table: Table, canary: Canary, identifier: UUID) -> tuple[str, ...]:
    """Make one row; the optional references that it took. Raises NotPlanted."""
    answer = None
    for also in ((), *((column.name,) for column in table.references if not column.required)):
        try:
            names, values = table.row(canary.id, identifier, also)
        except KeyError as kind:
            raise NotPlanted(f"no value is known for its type {kind}") from None
        answer = attacker.keep(f"INSERT INTO {table.name} ({names}) VALUES ({values})", canary.context)
        if not answer.code:
            return also
    raise NotPlanted(answer.text if answer else "nothing was tried")


def fields(target: Target, tally: Tally, attacker: Attacker, ask: Asks) -> Iterator[Field]:
    """Every table in turn, planted; rolled back when the next one is asked for. One that cannot be is a finding."""
    every = tables(ask)
    only = target.kept.get("tables", every.keys())
    for table in [every[name] for name in every if name in only]:
        try:
            yield plant(attacker, table, every, target.a, target.b)
        except NotPlanted as problem:
            tally.expect(
                False, f"{table.name} could not be tried: no row of a canary can be made ({problem})."
            )
        finally:
            attacker.end()
