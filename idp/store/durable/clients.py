"""Relying parties and services. Metadata speaks RFC 7591; what only an operator may set is apart."""

from idp.store.durable.columns import belongs, binary, instant, json, tenant_table, text, unique, uuid

clients = tenant_table(
    "clients",
    text("client_id"),
    json("metadata"),
    json("settings"),
    text("status"),
    instant("created_at"),
    instant("updated_at"),
    unique("client_id"),
)

client_secrets = tenant_table(
    "client_secrets",
    uuid("client_id"),
    binary("digest"),
    binary("source_digest", null=True),
    instant("expires_at", null=True),
    instant("created_at"),
    belongs("client_id", "clients"),
)
