"""Replay marks: a thing that may be used once leaves its digest here, atomically."""

from idp.store.durable.columns import binary, index, instant, tenant_table, text, unique

marks = tenant_table(
    "marks",
    text("kind"),
    binary("digest"),
    instant("expires_at"),
    unique("kind", "digest"),
    index("marks", "expires_at"),
)
