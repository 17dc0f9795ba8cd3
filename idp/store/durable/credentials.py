"""What a person proves themselves with. A password is kept as its Argon2id hash."""

from idp.store.durable.columns import belongs, binary, instant, tenant_table, text, unique, uuid

credentials = tenant_table(
    "credentials",
    uuid("user_id"),
    text("kind"),
    text("secret"),
    binary("source_digest", null=True),
    instant("created_at"),
    instant("changed_at"),
    belongs("user_id", "users"),
    unique("user_id", "kind"),
)
