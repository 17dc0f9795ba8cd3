"""Counters of failures for the time that Redis is away."""

from sqlalchemy import Column, Integer

from idp.store.durable.columns import binary, instant, tenant_table, text, unique

throttles = tenant_table(
    "throttles",
    text("kind"),
    binary("key_digest"),
    Column("count", Integer, nullable=False),
    instant("window_start"),
    unique("kind", "key_digest"),
)
