"""The record of every sign-in session; the live copy in Redis is rebuilt from it."""

from idp.store.durable.columns import belongs, binary, instant, tenant_table, text, texts, unique, uuid

sessions = tenant_table(
    "sessions",
    binary("digest"),
    text("sid"),
    uuid("user_id"),
    instant("auth_time"),
    texts("amr"),
    text("acr"),
    instant("created_at"),
    instant("last_seen_at"),
    instant("expires_at"),
    instant("ended_at", null=True),
    text("end_reason", null=True),
    text("address", null=True),
    text("user_agent", null=True),
    belongs("user_id", "users"),
    unique("digest"),
    unique("sid"),
)

session_clients = tenant_table(
    "session_clients",
    uuid("session_id"),
    uuid("client_id"),
    instant("first_at"),
    belongs("session_id", "sessions"),
    belongs("client_id", "clients"),
    unique("session_id", "client_id"),
)
