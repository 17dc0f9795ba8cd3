"""What a code became: the grant, its refresh tokens, and the access tokens revoked before their time."""

from sqlalchemy import Boolean, Column, Integer

from idp.store.durable.columns import (
    belongs,
    binary,
    index,
    instant,
    json,
    tenant_table,
    text,
    texts,
    unique,
    uuid,
)

grants = tenant_table(
    "grants",
    binary("code_digest"),
    uuid("user_id"),
    uuid("client_id"),
    uuid("session_id", null=True),
    texts("scopes"),
    texts("resources"),
    json("claims"),
    text("acr"),
    texts("amr"),
    instant("auth_time"),
    Column("offline", Boolean, nullable=False),
    instant("created_at"),
    instant("expires_at"),
    instant("revoked_at", null=True),
    text("revoked_reason", null=True),
    belongs("user_id", "users"),
    belongs("client_id", "clients"),
    belongs("session_id", "sessions", survives=True),
    unique("code_digest"),
    index("grants", "user_id"),
    index("grants", "client_id"),
    index("grants", "session_id"),
    index("grants", "expires_at"),
)

refresh_tokens = tenant_table(
    "refresh_tokens",
    uuid("grant_id"),
    binary("digest"),
    Column("generation", Integer, nullable=False),
    instant("created_at"),
    instant("consumed_at", null=True),
    instant("expires_at"),
    belongs("grant_id", "grants"),
    unique("digest"),
    unique("grant_id", "generation"),
)

revoked_tokens = tenant_table(
    "revoked_tokens",
    binary("jti_digest"),
    instant("expires_at"),
    unique("jti_digest"),
    index("revoked_tokens", "expires_at"),
)
