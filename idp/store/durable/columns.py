"""The shape that every table of a tenant shares: `(tenant_id, id)` keys and pairs in foreign keys."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TextualSelect,
    UniqueConstraint,
    bindparam,
)
from sqlalchemy import text as clause
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid

from idp.tenants import current

metadata = MetaData()


def uuid(name: str, *, null: bool = False) -> Column[Any]:
    """A column of UUIDs."""
    return Column(name, PgUuid(as_uuid=True), nullable=null)


def text(name: str, *, null: bool = False) -> Column[Any]:
    """A column of text."""
    return Column(name, Text, nullable=null)


def texts(name: str) -> Column[Any]:
    """A column of lists of text."""
    return Column(name, ARRAY(Text), nullable=False)


def json(name: str, *, null: bool = False) -> Column[Any]:
    """A column of JSON documents."""
    return Column(name, JSONB(none_as_null=True), nullable=null)


def instant(name: str, *, null: bool = False) -> Column[Any]:
    """A column of aware instants; always given by the application, never defaulted by Postgres."""
    return Column(name, DateTime(timezone=True), nullable=null)


def binary(name: str, *, null: bool = False) -> Column[Any]:
    """A column of bytes."""
    return Column(name, LargeBinary, nullable=null)


def unique(*names: str) -> UniqueConstraint:
    """A unique constraint that starts with the tenant."""
    return UniqueConstraint("tenant_id", *names)


def belongs(column: str, table: str, *, survives: bool = False) -> ForeignKeyConstraint:
    """A reference that cannot leave the tenant: it pairs `tenant_id`.

    The row goes with what it belongs to, or, when it `survives`, forgets it.
    """
    action = f"SET NULL ({column})" if survives else "CASCADE"
    return ForeignKeyConstraint(["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"], ondelete=action)


def index(table: str, *names: str) -> Index:
    """An index that leads with the tenant."""
    return Index(f"{table}_{'_'.join(names)}", "tenant_id", *names)


def tenant_table(name: str, *parts: Any) -> Table:
    """A table of tenants' data; migrations protect it with row-level security."""
    return Table(
        name,
        metadata,
        uuid("tenant_id"),
        uuid("id"),
        *parts,
        PrimaryKeyConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    )


def here(table: Table) -> Any:
    """The clause that names the entered tenant."""
    return table.c.tenant_id == current().id


def home() -> UUID:
    """The id of the entered tenant, for inserts."""
    return current().id


def first_counts(table: Table) -> TextualSelect:
    """Insert a row of all columns unless one like it is there; its `id` when it was kept.

    Written out, because what the library builds with ON CONFLICT is compiled anew for each execution.
    """
    names = [column.name for column in table.c]
    values = ", ".join(f":{name}" for name in names)
    written = clause(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING RETURNING id"
    )
    return written.bindparams(*(bindparam(column.name, type_=column.type) for column in table.c)).columns(
        table.c.id
    )
