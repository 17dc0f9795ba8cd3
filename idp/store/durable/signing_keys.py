"""A tenant's signing keys: the public half open, the private half sealed."""

from idp.store.durable.columns import binary, instant, json, tenant_table, text, unique

signing_keys = tenant_table(
    "signing_keys",
    text("kid"),
    text("alg"),
    json("public"),
    binary("sealed"),
    text("kek_id"),
    instant("created_at"),
    instant("publish_at"),
    instant("activate_at", null=True),
    instant("retire_at", null=True),
    instant("gone_at", null=True),
    instant("revoked_at", null=True),
    unique("kid"),
)
