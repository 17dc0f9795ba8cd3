"""The catalogue of the migrated database says that the wall stands, and each way to break it is noticed."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from idp.prove import allowed, catalogue, catalogue_tables
from idp.prove.database import asking
from idp.prove.look import Look, differ
from idp.store import migrate

BESIDE = frozenset({"seed"})
"""Schema of this suite's own: copies of the twins' rows, readable by nobody."""


class Superuser:
    """One connection whose changes are never committed."""

    def __init__(self, connection: Any) -> None:
        """`connection`: as superuser."""
        self.connection = connection

    def __call__(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement; its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture
def ask(services: Any) -> Iterator[Superuser]:
    """Questions, and changes that are rolled back."""
    with closing(psycopg2.connect(services.superuser.url)) as connection:
        yield Superuser(connection)
        connection.rollback()


@pytest.mark.parametrize("rule", catalogue.every_rule())
def test_the_catalogue_keeps_the_rule(ask: Superuser, rule: str) -> None:
    assert catalogue.every_rule()[rule](Look(ask, beside=BESIDE)) == []


def test_every_table_of_the_models_is_in_exactly_one_class() -> None:
    known = catalogue_tables.classes()
    assert {table.name for table in migrate.metadata().sorted_tables} <= known.keys()
    assert {name for name, kind in known.items() if kind == "tenant"} == {
        table.name
        for table in migrate.metadata().sorted_tables
        if table.name not in {**allowed.CONTROL_PLANE, **allowed.PLATFORM}
    }


TABLE = "CREATE TABLE later (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id))"

MUTATIONS = {
    "a new table that nobody classed": (f"{TABLE}; ALTER TABLE later OWNER TO idp_owner", "relations row_security"),
    "a table of another owner": ("ALTER TABLE users OWNER TO idp_app", "relations"),
    "NO FORCE": ("ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY", "row_security"),
    "row security off": ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", "row_security"),
    "a dropped policy": ("DROP POLICY tenant ON grants", "policies"),
    "an open policy beside": ("CREATE POLICY open ON users FOR SELECT TO idp_app USING (true)", "policies"),
    "a policy loosened": ("ALTER POLICY tenant ON users USING (tenant_id = (SELECT ctx.tenant()) OR true)", "policies"),
    "a policy that does not check what is written": ("ALTER POLICY tenant ON users WITH CHECK (true)", "policies"),
    "a policy by plain setting": (
        "ALTER POLICY tenant ON users USING (tenant_id = current_setting('app.tenant', true)::uuid)", "policies"),
    "a policy that is called for each row": (
        "ALTER POLICY tenant ON users USING (tenant_id = ctx.tenant())", "policies"),
    "TRUNCATE": ("GRANT TRUNCATE ON users TO idp_app", "privileges"),
    "REFERENCES": ("GRANT REFERENCES ON users TO idp_app", "privileges"),
    "TRIGGER": ("GRANT TRIGGER ON users TO idp_app", "privileges"),
    "SELECT for everybody": ("GRANT SELECT ON users TO PUBLIC", "privileges"),
    "UPDATE of the tenant": ("GRANT UPDATE (tenant_id) ON users TO idp_app", "privileges"),
    "UPDATE of the whole row": ("GRANT UPDATE ON users TO idp_app", "privileges"),
    "DELETE of the audit": ("GRANT DELETE ON audit_log TO idp_app", "privileges"),
    "a grant that can be handed on": ("GRANT SELECT ON users TO idp_app WITH GRANT OPTION", "privileges"),
    "a readable key": ("GRANT SELECT ON ctx.keys TO idp_app", "privileges"),
    "unique without the tenant": ("CREATE UNIQUE INDEX leak ON marks (digest)", "indexes"),
    "an index without the tenant": ("CREATE INDEX slow ON users (email_norm)", "indexes"),
    "an index of an expression": ("CREATE INDEX slow ON users (lower(email), tenant_id)", "indexes"),
    "a reference without the tenant": (
        "CREATE UNIQUE INDEX ids ON users (id); ALTER TABLE outbox ADD owner uuid REFERENCES users (id)",
        "constraints"),
    "a tenant that may be null": (
        "ALTER TABLE marks DROP CONSTRAINT marks_pkey; ALTER TABLE marks ALTER tenant_id DROP NOT NULL",
        "columns constraints"),
    "a tenant by default": (
        "ALTER TABLE marks ALTER tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000000'", "columns"),
    "a generated column": ("ALTER TABLE marks ADD twice text GENERATED ALWAYS AS (kind || kind) STORED", "columns"),
    "a view": ("CREATE VIEW everyone AS SELECT * FROM users", "relations"),
    "a materialized view": ("CREATE MATERIALIZED VIEW everyone AS SELECT * FROM users", "relations"),
    "a child table": ("CREATE TABLE more () INHERITS (users)", "relations"),
    "a partitioned table": ("CREATE TABLE parts (tenant_id uuid) PARTITION BY HASH (tenant_id)", "relations"),
    "a sequence": ("CREATE SEQUENCE numbers", "relations"),
    "a definer function": (
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM users'",
        "functions"),
    "a search_path left open": ("ALTER FUNCTION directory.find(text, text) RESET search_path", "functions"),
    "a function handed to a superuser": ("ALTER FUNCTION ctx.tenant() OWNER TO postgres", "functions"),
    "a leakproof function": ("ALTER FUNCTION touch_tenant() LEAKPROOF", "functions"),
    "a function for everybody": (
        "GRANT EXECUTE ON FUNCTION directory.due(uuid, timestamptz, integer) TO PUBLIC", "functions"),
    "a copy in a schema of Postgres": (
        "CREATE TABLE information_schema.usersx AS SELECT * FROM users; "
        "GRANT SELECT ON information_schema.usersx TO idp_app", "relations privileges"),
    "a view in a schema of Postgres": (
        "CREATE VIEW information_schema.v AS SELECT * FROM users", "relations"),
    "a function in a schema of Postgres": (
        "SET LOCAL allow_system_table_mods = on; CREATE FUNCTION pg_catalog.sneaky() RETURNS SETOF public.users "
        "LANGUAGE sql SECURITY DEFINER AS 'select * from public.users'", "functions"),
    "a schema between": ("ALTER FUNCTION ctx.tenant() SET search_path = pg_catalog, public, pg_temp", "functions"),
    "a setting of a function": ("ALTER FUNCTION ctx.tenant() SET row_security = off", "functions"),
    "a function that is taken for unchanging": ("ALTER FUNCTION ctx.tenant() IMMUTABLE", "functions"),
    "a file that may be read": (
        "GRANT EXECUTE ON FUNCTION pg_read_file(text, bigint, bigint) TO idp_app", "builtins blind"),
    "large objects that may be written to files": (
        "GRANT EXECUTE ON FUNCTION lo_export(oid, text) TO idp_app", "builtins blind"),
    "passwords that may be read": ("GRANT SELECT ON pg_shadow TO idp_app", "builtins blind"),
    "one column of the passwords": ("GRANT SELECT (rolpassword) ON pg_authid TO idp_app", "builtins blind"),
    "statistics of values": ("GRANT SELECT ON pg_statistic_ext_data TO PUBLIC", "builtins"),
    "counts of rows": ("GRANT EXECUTE ON FUNCTION pg_stat_get_dead_tuples(oid) TO idp_app", "blind"),
    "memory of other processes": (
        "GRANT EXECUTE ON FUNCTION pg_log_backend_memory_contexts(int) TO idp_app", "builtins blind"),
    "tables made among Postgres' own": ("GRANT CREATE ON SCHEMA pg_catalog TO idp_app", "builtins"),
    "a function of Postgres that is leakproof": (
        "ALTER FUNCTION pg_catalog.jsonb_contains(jsonb, jsonb) LEAKPROOF", "builtins"),
    "a function of Postgres with its owner's rights": (
        "ALTER FUNCTION pg_catalog.jsonb_contains(jsonb, jsonb) SECURITY DEFINER", "builtins"),
    "a known name on another index": (
        "DROP INDEX tenants_changed_at; CREATE INDEX tenants_changed_at ON users (email_norm)", "indexes"),
    "a trigger that tells of less": (
        "CREATE OR REPLACE TRIGGER touch AFTER INSERT ON clients FOR EACH ROW EXECUTE FUNCTION touch_tenant()",
        "triggers"),
    "references that nobody watches": ("ALTER TABLE sessions DISABLE TRIGGER ALL", "triggers"),
    "a second reference": (
        "ALTER TABLE sessions ADD FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE RESTRICT",
        "constraints"),
    "a reference that waits": (
        "ALTER TABLE sessions ADD FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) "
        "ON DELETE CASCADE DEFERRABLE", "constraints"),
    "a check that was not held": ("ALTER TABLE users ADD CHECK (id IS NOT NULL) NOT VALID", "constraints"),
    "a domain": ("CREATE DOMAIN spoken AS text", "extras"),
    "a cast": ("CREATE CAST (text AS uuid) WITH INOUT AS IMPLICIT", "extras"),
    "an operator": (
        "CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)", "extras"),
    "old rows for replicas": ("ALTER TABLE users REPLICA IDENTITY FULL", "extras"),
    "a strange trigger": (
        "CREATE TRIGGER twice AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch_tenant()", "triggers"),
    "a trigger that sleeps": ("ALTER TABLE clients DISABLE TRIGGER touch", "triggers"),
    "a rule": ("CREATE RULE also AS ON INSERT TO marks DO ALSO NOTHING", "triggers"),
    "BYPASSRLS": ("ALTER ROLE idp_app BYPASSRLS", "roles"),
    "SUPERUSER": ("ALTER ROLE idp_app SUPERUSER", "roles"),
    "INHERIT": ("ALTER ROLE idp_migrator INHERIT", "roles"),
    "another role": ("CREATE ROLE somebody LOGIN BYPASSRLS", "roles"),
    "a function that does something else": (
        "CREATE OR REPLACE FUNCTION ctx.tenant() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED "
        "SET search_path = pg_catalog, pg_temp AS $$SELECT nullif(current_setting('app.tenant', true), '')::uuid$$",
        "functions"),
    "extended statistics": ("CREATE STATISTICS told ON username, email FROM users", "extras"),
    "membership": ("GRANT idp_owner TO idp_app", "memberships"),
    "inheritance": ("GRANT idp_owner TO idp_migrator WITH INHERIT TRUE", "memberships"),
    "statements tracked": ("ALTER ROLE idp_app SET track_activities = on", "role_settings"),
    "row security switched off by a setting": ("ALTER ROLE idp_app SET row_security = off", "role_settings"),
    "a setting of the database": ("ALTER ROLE ALL SET app.ctx = 'x'", "role_settings"),
    "default privileges": ("ALTER DEFAULT PRIVILEGES FOR ROLE idp_owner GRANT SELECT ON TABLES TO idp_app",
                           "defaults_for_new_things"),
    "CREATE on the schema": ("GRANT CREATE ON SCHEMA public TO idp_app", "schemas"),
    "a schema for everybody": ("GRANT USAGE ON SCHEMA ctx TO PUBLIC", "schemas"),
    "another schema": ("CREATE SCHEMA elsewhere", "schemas"),
    "temporary tables": ("GRANT TEMPORARY ON DATABASE idp TO idp_app", "database"),
    "a publication": ("CREATE PUBLICATION everything FOR ALL TABLES", "extras"),
    "a large object": ("SELECT lo_create(0)", "extras"),
    "others' statements": ("GRANT EXECUTE ON FUNCTION pg_stat_get_activity(integer) TO idp_app", "blind"),
    "others ended": ("GRANT EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint) TO PUBLIC", "blind"),
    "others counted": ("GRANT SELECT ON pg_stat_all_tables TO idp_app", "blind"),
    "locks that outlive": ("GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO idp_app", "blind"),
    "the view of activity": ("GRANT SELECT ON pg_stat_activity TO PUBLIC", "blind"),
}  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_broken_wall_is_noticed(ask: Superuser, mutation: str) -> None:
    statement, rules = MUTATIONS[mutation]
    ask(statement)
    noticed = catalogue.findings(Look(ask, beside=BESIDE))
    assert set(rules.split()) <= noticed.keys(), noticed


def test_every_rule_is_broken_by_some_mutation() -> None:
    broken = {rule for _, rules in MUTATIONS.values() for rule in rules.split()}
    assert catalogue.every_rule().keys() - {"server"} == broken


def test_a_stranger_without_power_is_a_note_and_a_service_keeps_its_own(ask: Superuser) -> None:
    ask("CREATE ROLE somebody LOGIN")
    look = Look(ask, beside=BESIDE)
    assert catalogue.findings(look) == {}
    assert any("somebody" in note for note in look.tally.notes)
    ask("CREATE ROLE rds_superuser; CREATE ROLE maker LOGIN CREATEROLE; GRANT rds_superuser TO maker")
    ask("GRANT idp_app TO maker WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
    ask("ALTER ROLE idp_app RESET track_activities")
    ask("GRANT EXECUTE ON FUNCTION pg_stat_get_activity(integer) TO PUBLIC")
    look = Look(ask, beside=BESIDE)
    assert look.service == {"rds_superuser", "maker"}
    assert catalogue.findings(look) == {}
    assert {"the service does not let idp_app have track_activities=off"} <= set(look.tally.notes)
    assert any("pg_stat_get_activity" in note for note in look.tally.notes)
    ask("GRANT idp_owner TO idp_app")
    assert "memberships" in catalogue.findings(Look(ask, beside=BESIDE))


def test_the_runtime_role_may_read_all_of_it(services: Any) -> None:
    with closing(psycopg2.connect(services.settings.database_url)) as connection:
        look = Look(Superuser(connection), beside=BESIDE)
        assert catalogue.findings(look) == {}
        assert look.tally.notes == []
        connection.rollback()


def test_what_may_not_be_read_is_a_note_and_the_rest_is_looked_at(services: Any) -> None:
    with asking(services.settings.database_url) as ask:
        look = Look(ask, beside=BESIDE)
        assert look.if_allowed("any password", "SELECT rolpassword FROM pg_authid") == []
        assert look.tally.notes == ["any password cannot be read by the role that proves"]
        assert look.if_allowed("any name", "SELECT 1") == [(1,)]
        assert look.tally.tried == 1


def test_differences_name_only_what_differs() -> None:
    assert list(differ("roles", {"a": 1, "b": 2}, {"a": 1, "c": 3})) == [
        "roles of b: 2, wanted None", "roles of c: None, wanted 3",
    ]  # fmt: skip
    assert list(differ("locks", {1, 2}, {2, 3})) == ["locks: 1 is not allowed", "locks: 3 is missing"]
    assert list(differ("x", 1, 1)) == []
