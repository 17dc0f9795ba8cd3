"""What a person has allowed a client, per scope set."""

from idp.store.durable.columns import belongs, instant, tenant_table, texts, unique, uuid

consents = tenant_table(
    "consents",
    uuid("user_id"),
    uuid("client_id"),
    texts("scopes"),
    instant("granted_at"),
    belongs("user_id", "users"),
    belongs("client_id", "clients"),
    unique("user_id", "client_id"),
)
