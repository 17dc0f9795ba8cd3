"""Which rule refused a request, for `idp explain`; kept for seven days."""

from idp.store.durable.columns import instant, tenant_table, text

refusals = tenant_table(
    "refusals",
    text("request_id"),
    instant("at"),
    text("code"),
    text("rule", null=True),
    text("expected", null=True),
    text("got", null=True),
    text("setting", null=True),
    text("path"),
)
