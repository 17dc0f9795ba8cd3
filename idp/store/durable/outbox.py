"""Effects that leave the house after a commit: written with the change, delivered by the worker."""

from sqlalchemy import Column, Integer

from idp.store.durable.columns import instant, json, tenant_table, text

outbox = tenant_table(
    "outbox",
    text("topic"),
    json("payload"),
    Column("attempts", Integer, nullable=False),
    instant("run_after"),
    instant("locked_until", null=True),
    instant("created_at"),
)
