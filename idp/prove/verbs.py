"""What may be tried on a table, in SQL: each verb against a tenant and a row, foreign or absent alike."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from idp.prove.attempts import BAD, DENIED, Answer
from idp.prove.rows import Field

Verb = Callable[[Field, Any, UUID], str]
"""The statement that reaches for `row` of `tenant` in the field's table."""


def _format(template: str) -> Verb:
    def build(field: Field, tenant: Any, row: UUID) -> str:
        insert = field.insert(tenant, row)
        names, _, values = insert.partition(" VALUES ")
        return template.format(
            t=field.table.name, key=field.table.key, tenant=tenant, row=row, mine=field.a.id,
            column=f'"{field.table.plain}"', insert=insert, names=names.partition(" (")[2].rstrip(")"),
            values=values,
        )  # fmt: skip

    return build


_READ = "SELECT * FROM {t} WHERE {key} = '{tenant}'"
_MERGE = (
    "MERGE INTO {t} t USING (SELECT '{tenant}'::uuid AS tenant, '{row}'::uuid AS id) s "
    "ON t.{key} = s.tenant AND t.id = s.id WHEN "
)

VERBS: dict[str, Verb] = {
    name: _format(template)
    for name, template in {
        "SELECT by tenant": _READ,
        "SELECT by id": "SELECT * FROM {t} WHERE id = '{row}' AND {key} <> '{mine}'",
        "SELECT by what is not mine": "SELECT {key} FROM {t} WHERE NOT ({key} = '{mine}') LIMIT 5",
        "SELECT by a join": "SELECT b.* FROM {t} a FULL JOIN {t} b ON a.{key} <> b.{key} WHERE b.{key} = '{tenant}'",
        "SELECT FOR UPDATE": f"{_READ} FOR UPDATE",
        "SELECT FOR SHARE": f"{_READ} FOR KEY SHARE",
        "cursor": f"DECLARE walk CURSOR FOR {_READ}; FETCH ALL walk",
        "COPY TO": f"COPY ({_READ}) TO STDOUT",
        "COPY FROM": "COPY {t} FROM STDIN",
        "INSERT": "{insert}",
        "INSERT … RETURNING": "{insert} RETURNING *",
        "ON CONFLICT DO NOTHING": "{insert} ON CONFLICT DO NOTHING",
        "ON CONFLICT (key) DO NOTHING": "{insert} ON CONFLICT ({key}, id) DO NOTHING",
        "ON CONFLICT DO UPDATE": "{insert} ON CONFLICT ({key}, id) DO UPDATE SET {column} = excluded.{column}",
        "UPDATE": "UPDATE {t} SET {column} = {column} WHERE {key} = '{tenant}'",
        "UPDATE tenant_id": "UPDATE {t} SET {key} = '{tenant}' WHERE {key} = '{mine}'",
        "UPDATE id": "UPDATE {t} SET id = '{row}' WHERE {key} = '{tenant}'",
        "DELETE": "DELETE FROM {t} WHERE {key} = '{tenant}'",
        "DELETE by id": "DELETE FROM {t} WHERE id = '{row}' AND {key} = '{tenant}'",
        "MERGE INSERT": _MERGE + "NOT MATCHED THEN INSERT ({names}) VALUES {values}",
        "MERGE UPDATE": _MERGE + "MATCHED THEN UPDATE SET {column} = t.{column}",
        "MERGE DELETE": _MERGE + "MATCHED THEN DELETE",
        "TRUNCATE": "TRUNCATE {t}",
        "TRUNCATE CASCADE": "TRUNCATE {t} CASCADE",
    }.items()
}
"""Each must show and change nothing, and answer alike for another tenant's row and for nobody's."""

REFUSED = frozenset(
    {"COPY FROM", "INSERT", "INSERT … RETURNING", "ON CONFLICT DO NOTHING", "ON CONFLICT (key) DO NOTHING",
     "ON CONFLICT DO UPDATE", "UPDATE tenant_id", "UPDATE id", "MERGE INSERT", "TRUNCATE", "TRUNCATE CASCADE"}
)  # fmt: skip
"""Verbs that must end in an error, not only in nothing."""


def harmless(verb: str, answer: Answer) -> bool:
    """Whether a verb was refused where it must be, and showed and changed nothing otherwise."""
    return answer.code in (DENIED, "0A000", *BAD) if verb in REFUSED else answer.nothing


EXPLAINED = _format(
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; "
    "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF, FORMAT JSON) "
    "SELECT * FROM {t} WHERE {key} = '{tenant}' AND id = '{row}'"
)
"""How many rows a plan met: alike for another tenant's row and for nobody's, by one and the same way to them.

Statistics that are renewed meanwhile would else choose a way by what they have seen of the tenant.
"""

OWNERS = (
    "DROP TABLE {t}", "DROP POLICY tenant ON {t}", "CREATE POLICY open ON {t} USING (true)",
    "ALTER POLICY tenant ON {t} USING (true)", "ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE {t} DISABLE ROW LEVEL SECURITY", "ALTER TABLE {t} OWNER TO idp_app",
    "ALTER TABLE {t} DISABLE TRIGGER ALL", "CREATE INDEX ON {t} (id)",
    "CREATE TRIGGER mine AFTER INSERT ON {t} EXECUTE FUNCTION touch_tenant()",
    "CREATE RULE mine AS ON INSERT TO {t} DO ALSO NOTHING",
)  # fmt: skip
"""What only an owner may do to a table."""

ESCAPES = (
    "SET ROLE idp_owner", "SET ROLE idp_ctx", "SET ROLE idp_directory", "SET ROLE idp_ops", "SET ROLE idp_backup",
    "SET SESSION AUTHORIZATION idp_owner", "SET track_activities = on", "SET session_replication_role = replica",
    "SET row_security = off; SELECT count(*) FROM users", "SET log_statement = 'all'",
    "ALTER ROLE idp_app BYPASSRLS", "ALTER ROLE idp_app SET track_activities = on", "ALTER ROLE idp_ops PASSWORD 'x'",
    "GRANT idp_owner TO idp_app", "CREATE ROLE canary_more",
    "CREATE TABLE mine (x int)", "CREATE TEMP TABLE mine (x int)", "CREATE SCHEMA mine", "CREATE VIEW v AS SELECT 1",
    "CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE SEQUENCE mine", "CREATE TYPE mine AS ENUM ()",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE EXTENSION dblink", "CREATE LANGUAGE plperl",
    "CREATE OR REPLACE FUNCTION ctx.tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "ALTER FUNCTION ctx.tenant() RESET ALL", "SELECT * FROM ctx.keys", "SELECT count(*) FROM ctx.keys",
    "DELETE FROM ctx.keys WHERE false", "COPY ctx.keys TO STDOUT", "COPY (SELECT 1) TO '/nowhere/canary'",
    "COPY (SELECT 1) TO PROGRAM 'true'", "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE FOREIGN DATA WRAPPER w", "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION touch_tenant()",
    "SELECT pg_read_file('PG_VERSION')", "SELECT pg_read_binary_file('PG_VERSION')", "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/hostname')", "SELECT dblink('', 'SELECT 1')", "SELECT * FROM pg_authid",
    "SELECT * FROM pg_statistic", "SELECT * FROM pg_hba_file_rules", "SELECT pg_reload_conf()",
    "SELECT protect('users', '')", "INSERT INTO tenants (id, slug) VALUES (gen_random_uuid(), 'mine')",
    "DELETE FROM tenants WHERE id = '{mine}'", "UPDATE tenants SET policy = '{{}}' WHERE id = '{mine}'",
    "UPDATE tenants SET status = 'active' WHERE id = '{mine}'", "DELETE FROM audit_log WHERE tenant_id = '{mine}'",
    "UPDATE audit_log SET event = 'x' WHERE tenant_id = '{mine}'",
)  # fmt: skip
"""Ways out of the wall; each must be refused."""

PRYING = (
    "SELECT query FROM pg_stat_activity", "SELECT * FROM pg_stat_get_activity(NULL)",
    "SELECT pg_stat_get_backend_activity(1)", "SELECT * FROM pg_stat_all_tables", "SELECT * FROM pg_locks",
    "SELECT pg_stat_get_live_tuples('users'::regclass)", "SELECT pg_terminate_backend(0)",
    "SELECT pg_cancel_backend(0)", "SELECT pg_notify('a', 'b')", "SELECT pg_advisory_lock(1)",
    "SELECT pg_export_snapshot()", "SELECT pg_logical_emit_message(true, 'a', 'b')", "SELECT lo_create(0)",
)  # fmt: skip
"""Looks at others and ways to meet them; a managed service may not let anybody close these."""

CLOSED = ("0A000", "58P01", "42P01", "42704", "42883", "55000", "3F000")
"""Other codes of refusal: not supported, no such file, table, object, function, or none that may be named."""
