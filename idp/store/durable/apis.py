"""APIs of a tenant: an audience, its scopes with a sentence each, and which client may ask for what."""

from idp.store.durable.columns import belongs, instant, json, tenant_table, text, texts, unique, uuid

apis = tenant_table(
    "apis",
    text("identifier"),
    text("name"),
    json("scopes"),
    json("settings"),
    instant("created_at"),
    unique("identifier"),
)

api_grants = tenant_table(
    "api_grants",
    uuid("api_id"),
    uuid("client_id"),
    texts("scopes"),
    belongs("api_id", "apis"),
    belongs("client_id", "clients"),
    unique("api_id", "client_id"),
)
