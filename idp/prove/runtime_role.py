"""What the runtime role can do in SQL, tried on every table of tenants' rows."""

from idp.prove.database import Asks, asking
from idp.prove.promises import Group, Promise, Tally
from idp.prove.target import Target

_TENANT_TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
"""


def tables(ask: Asks) -> list[str]:
    """Every table that has a tenant, as SQL names it."""
    return [name for (name,) in ask(_TENANT_TABLES)]


def without_a_context(target: Target, tally: Tally) -> None:
    """No context, and an empty one, show no row of any table."""
    with asking(target.database_url) as ask:
        for table in tables(ask):
            for setting in ("", "SET LOCAL app.ctx = ''; "):
                seen = ask(f"{setting}SELECT 1 FROM {table} LIMIT 1")
                tally.expect(seen == [], f"{table} shows rows to whoever has no tenant context.")


PROMISES = (
    Promise(
        "no_context",
        Group.RUNTIME_ROLE,
        "Whoever shows no tenant context sees no row of any tenant.",
        "Each table is read as the runtime role without a context and with an empty one.",
        without_a_context,
    ),
)
