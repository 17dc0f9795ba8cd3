"""What happened, inserted and never changed; seals chain the rows that have committed."""

from sqlalchemy import Column, FetchedValue, Integer

from idp.store.durable.columns import binary, instant, json, tenant_table, text, uuid

from sqlalchemy.types import UserDefinedType


class Xid8(UserDefinedType[int]):
    """Postgres' 64-bit transaction id; psycopg2 answers it as text."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        """The type's name in Postgres."""
        return "xid8"


audit_log = tenant_table(
    "audit_log",
    Column("xid", Xid8, nullable=False, server_default=FetchedValue()),
    text("event"),
    json("actor"),
    json("facts"),
    instant("at"),
    text("request_id", null=True),
)

audit_seals = tenant_table(
    "audit_seals",
    Column("number", Integer, nullable=False),
    Column("first_xid", Xid8, nullable=False),
    Column("last_xid", Xid8, nullable=False),
    uuid("first_id"),
    uuid("last_id"),
    Column("count", Integer, nullable=False),
    binary("previous"),
    binary("digest"),
    instant("at"),
)
