"""What client_credentials left behind: written in batches by the journal, so that the request waits for nothing."""

from sqlalchemy import Column, Integer

from idp.store.durable.columns import instant, tenant_table, text, texts, uuid

activity = tenant_table(
    "activity",
    uuid("client_id"),
    text("kind"),
    texts("scopes"),
    Column("count", Integer, nullable=False),
    instant("at"),
    text("request_id", null=True),
)
