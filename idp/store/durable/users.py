"""People of a tenant. `id` is their `sub`: never reused, never an e-mail address."""

from sqlalchemy import Boolean, Column

from idp.store.durable.columns import instant, json, tenant_table, text, unique

users = tenant_table(
    "users",
    text("username"),
    text("username_norm"),
    text("username_skeleton"),
    text("email", null=True),
    text("email_norm", null=True),
    Column("email_verified", Boolean, nullable=False),
    json("claims"),
    text("status"),
    instant("not_before", null=True),
    instant("created_at"),
    instant("updated_at"),
    unique("username_norm"),
    unique("username_skeleton"),
    unique("email_norm"),
)
