"""Whoever speaks SQL as the runtime role, with acme's context or a bad one, reaches nothing of globex.

Alice's tenant is acme, the stranger's is globex. Every table of tenants' rows is tried; "foreign" and "does not
exist" must be told apart by nothing, neither a row nor the text of an error.
"""

import io
import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from idp.ids import uuid7
from idp.tenants import Tenant
from tests.isolation import attacking
from tests.isolation.attacking import ABSENT, BOTH, SEEN, TABLES, THEIRS, Session

DENIED = "42501"
"""insufficient_privilege: no grant, or a row that the policy refuses."""
BAD = {"IDP01", "IDP02"}


@pytest.fixture(scope="module")
def rows(services: Any, vault: Any) -> tuple[Tenant, Tenant]:
    """Acme and globex with a row in every table; whoever attacks them rolls back."""
    database = services.superuser
    database("DELETE FROM tenants")
    twins = [Tenant(uuid7(), slug, slug.title(), "active", "") for slug in ("acme", "globex")]
    for tenant in twins:
        names, values = attacking.row_of(
            database, "tenants", tenant.id, tenant.id, slug=f"'{tenant.slug}'", status="'active'"
        )
        database(f"INSERT INTO tenants ({names}) VALUES ({values})")
    attacking.fill(database, twins[0].id, twins[1].id)
    return twins[0], twins[1]


@pytest.fixture(scope="module")
def superuser(services: Any) -> Any:
    """The database as its superuser, to see what really is there."""
    return services.superuser


@pytest.fixture(scope="module")
def alice(vault: Any) -> Iterator[Session]:
    """A session of the runtime role."""
    with attacking.session(vault.database_url) as made:
        yield made


def _references(superuser: Any, table: str) -> list[str]:
    found = superuser(
        "SELECT a.attname FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid "
        "AND a.attnum = k.conkey[2] WHERE k.contype = 'f' AND k.conrelid = %s::regclass",
        f"public.{table}",
    )
    return [column for (column,) in found]


def _key(table: str) -> str:
    return "id" if table == "tenants" else "tenant_id"


@pytest.mark.parametrize("table", SEEN)
def test_reading_finds_acmes_rows_alone(rows: Any, alice: Session, table: str) -> None:
    acme, globex = rows
    mine, key = attacking.context(acme.id), _key(table)
    assert {row[0] for row in alice(f"SELECT {key} FROM {table}", as_=mine)} <= {str(acme.id)}
    if table in TABLES:
        assert alice(f"SELECT count(*) FROM {table} WHERE id = %s", str(BOTH), as_=mine) == [(1,)]
        assert alice(f"SELECT 1 FROM {table} WHERE id = %s", str(THEIRS), as_=mine) == []
    for condition in (f"{key} = '{globex.id}'", f"{key} <> '{acme.id}'", f"NOT ({key} = '{acme.id}')"):
        assert alice(f"SELECT count(*) FROM {table} WHERE {condition}", as_=mine) == [(0,)]
    joined = f"SELECT count(*) FROM {table} a FULL JOIN {table} b ON a.{key} <> b.{key} WHERE b.{key} = '{globex.id}'"
    assert alice(joined, as_=mine)[0][0] in (0, None)


@pytest.mark.parametrize("table", TABLES)
def test_cursors_prepared_plans_and_copies_find_no_more(rows: Any, alice: Session, table: str) -> None:
    acme, globex = rows
    mine, theirs = attacking.context(acme.id), attacking.context(globex.id)
    with alice.connection.cursor() as cursor:
        cursor.execute(f"PREPARE every AS SELECT DISTINCT tenant_id FROM {table}")
        for context, tenant in ((mine, acme), (theirs, globex)) * 4:
            cursor.execute("SELECT set_config('app.ctx', %s, true)", (context,))
            cursor.execute("EXECUTE every")
            assert cursor.fetchall() == [(str(tenant.id),)]
        cursor.execute("SELECT set_config('app.ctx', %s, true)", (mine,))
        cursor.execute(f"DECLARE walk CURSOR FOR SELECT DISTINCT tenant_id FROM {table}; FETCH ALL walk")
        assert cursor.fetchall() == [(str(acme.id),)]
        for source in (table, f"(SELECT * FROM {table})"):
            told = io.StringIO()
            cursor.copy_expert(f"COPY {source} TO STDOUT", told)
            assert str(acme.id) in told.getvalue() and str(globex.id) not in told.getvalue()
        cursor.execute("DEALLOCATE every")
    alice.connection.rollback()


@pytest.mark.parametrize("table", TABLES)
def test_nothing_of_globex_is_written(rows: Any, alice: Session, superuser: Any, table: str) -> None:
    acme, globex = rows
    mine = attacking.context(acme.id)
    before = superuser(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t")
    refusals = set()
    for tenant in (globex.id, ABSENT):
        names, values = attacking.row_of(superuser, table, tenant, ABSENT)
        inserted = f"INSERT INTO {table} ({names}) VALUES ({values})"
        for ending in ("", " ON CONFLICT DO NOTHING", " ON CONFLICT (tenant_id, id) DO NOTHING"):
            code, text = alice.refused(inserted + ending, as_=mine)
            assert code == DENIED, text
            refusals.add(text)
        merged = (
            f"MERGE INTO {table} t USING (SELECT '{tenant}'::uuid AS tenant, '{BOTH}'::uuid AS id) s "
            f"ON t.tenant_id = s.tenant AND t.id = s.id WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
        )
        assert alice.refused(merged, as_=mine)[0] == DENIED
        assert alice.refused(f"UPDATE {table} SET tenant_id = '{tenant}'", as_=mine)[0] == DENIED
        assert alice.refused(f"UPDATE {table} SET id = '{ABSENT}'", as_=mine)[0] == DENIED
    assert len(refusals) == 1, refusals
    assert superuser(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t") == before


@pytest.mark.parametrize("table", TABLES)
def test_nothing_of_globex_is_changed_deleted_or_locked(
    rows: Any, alice: Session, superuser: Any, table: str
) -> None:
    acme, globex = rows
    mine = attacking.context(acme.id)
    column = next(name for name in attacking.columns_of(superuser, table) if name not in ("tenant_id", "id"))
    foreign, absent = f"tenant_id = '{globex.id}'", f"tenant_id = '{ABSENT}'"
    for verb in (
        f"UPDATE {table} SET {column} = {column} WHERE",
        f"DELETE FROM {table} WHERE",
        f"SELECT 1 FROM {table} WHERE",
        f"DELETE FROM {table} WHERE id = '{THEIRS}' AND",
    ):
        lock = " FOR UPDATE" if verb.startswith("SELECT") else ""
        answers = {alice.refused(f"{verb} {which}{lock}", as_=mine) for which in (foreign, absent)}
        assert len(answers) == 1, answers
        code, found = answers.pop()
        assert found in ("[(0,)]", "[]") or (code == DENIED and "permission denied" in found), (verb, found)
    for statement in (f"TRUNCATE {table}", f"TRUNCATE {table} CASCADE", f"DROP TABLE {table}",
                      f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
                      f"DROP POLICY tenant ON {table}", f"CREATE POLICY open ON {table} USING (true)",
                      f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"):  # fmt: skip
        assert alice.refused(statement, as_=mine)[0] == DENIED, statement
    with pytest.raises(psycopg2.Error) as refused, alice.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.ctx', %s, true)", (mine,))
        cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(""))
    assert refused.value.pgcode in (DENIED, "0A000")
    alice.connection.rollback()
    assert superuser(f"SELECT count(*) FROM {table} WHERE id IN (%s, %s)", str(BOTH), str(THEIRS)) == [(3,)]


@pytest.mark.parametrize("table", TABLES)
def test_a_reference_tells_foreign_from_absent_not(
    rows: Any, alice: Session, superuser: Any, table: str
) -> None:
    acme, _ = rows
    mine = attacking.context(acme.id)
    for column in _references(superuser, table):
        answers = set()
        other = {"user_id": "NULL"} if (table, column) == ("role_members", "group_id") else {}
        for wanted in (THEIRS, ABSENT):
            names, values = attacking.row_of(
                superuser, table, acme.id, attacking.UUID(int=7), **other, **{column: f"'{wanted}'"}
            )
            code, text = alice.refused(f"INSERT INTO {table} ({names}) VALUES ({values})", as_=mine)
            assert code == "23503", (column, text)
            answers.add(re.sub(f"{wanted}", "…", text))
        assert len(answers) == 1, answers


@pytest.mark.parametrize("table", TABLES)
def test_a_unique_value_of_globex_is_free_in_acme(
    rows: Any, alice: Session, superuser: Any, table: str
) -> None:
    acme, _ = rows
    mine = attacking.context(acme.id)
    answers = set()
    for row in (THEIRS, ABSENT):
        required = attacking.columns_of(superuser, table)
        changes = {
            column: f"'{BOTH}'"
            for column in _references(superuser, table)
            if required[column][1] or (table, column) == ("role_members", "user_id")
        }
        names, values = attacking.row_of(superuser, table, acme.id, row, **changes)
        code, text = alice.refused(f"INSERT INTO {table} ({names}) VALUES ({values})", as_=mine)
        answers.add((code, text.replace(str(row), "…")))
    assert len(answers) == 1, answers
    assert answers.pop()[0] in ("", "23505")


@pytest.mark.parametrize("table", SEEN)
def test_without_a_context_there_is_nothing(rows: Any, alice: Session, superuser: Any, table: str) -> None:
    for context in (None, ""):
        assert alice(f"SELECT count(*) FROM {table}", as_=context) == [(0,)]
        if table in TABLES:
            names, values = attacking.row_of(superuser, table, rows[0].id, ABSENT)
            assert alice.refused(f"INSERT INTO {table} ({names}) VALUES ({values})", as_=context)[0] == DENIED
            answer = alice.refused(f"DELETE FROM {table}", as_=context)
            assert answer == ("", "[(0,)]") or answer[0] == DENIED


@pytest.mark.parametrize("table", SEEN)
def test_a_bad_context_is_an_error_of_its_own(rows: Any, alice: Session, superuser: Any, table: str) -> None:
    acme, globex = rows
    if table == "hosts":
        pytest.skip("the twins have no hosts; an empty table asks nobody")
    for name, context in attacking.bad_contexts(acme.id, globex.id).items():
        code, text = alice.refused(f"SELECT count(*) FROM {table}", as_=context)
        assert code in BAD, (name, code, text)
        assert code == "IDP01" if name == "expired" else code == "IDP02"
        if table in TABLES:
            names, values = attacking.row_of(superuser, table, globex.id, ABSENT)
            assert alice.refused(f"INSERT INTO {table} ({names}) VALUES ({values})", as_=context)[0] in BAD
            assert alice.refused(f"DELETE FROM {table}", as_=context)[0] in {*BAD, DENIED}


ESCAPES = (
    "SET ROLE idp_owner", "SET ROLE idp_ctx", "SET ROLE idp_directory", "SET ROLE idp_ops", "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres", "SET track_activities = on", "SET session_replication_role = replica",
    "SET row_security = off; SELECT count(*) FROM users", "SET log_statement = 'all'",
    "ALTER ROLE idp_app BYPASSRLS", "ALTER ROLE idp_app SET track_activities = on", "ALTER ROLE idp_ops PASSWORD 'x'",
    "GRANT idp_owner TO idp_app", "CREATE ROLE more",
    "CREATE TABLE mine (x int)", "CREATE TEMP TABLE mine (x int)", "CREATE SCHEMA mine", "CREATE VIEW v AS SELECT 1",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE EXTENSION dblink", "CREATE LANGUAGE plperl",
    "CREATE OR REPLACE FUNCTION ctx.tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "ALTER FUNCTION ctx.tenant() RESET ALL", "SELECT * FROM ctx.keys", "SELECT count(*) FROM ctx.keys",
    "TABLE seed.users", "COPY ctx.keys TO STDOUT", "COPY users TO '/tmp/x'", "COPY users TO PROGRAM 'cat'",
    "SELECT pg_read_file('PG_VERSION')", "SELECT lo_import('/etc/passwd')", "SELECT lo_create(0)",
    "SELECT pg_ls_dir('.')", "SELECT pg_reload_conf()",
    "SELECT query FROM pg_stat_activity", "SELECT * FROM pg_stat_get_activity(NULL)",
    "SELECT pg_terminate_backend(1)", "SELECT pg_cancel_backend(1)", "SELECT pg_notify('a', 'b')",
    "SELECT pg_advisory_lock(1)", "SELECT pg_export_snapshot()", "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "SELECT pg_stat_get_live_tuples('users'::regclass)", "SELECT * FROM pg_stat_all_tables", "SELECT * FROM pg_locks",
    "SELECT pg_stat_get_backend_activity(1)", "SELECT * FROM pg_authid", "SELECT * FROM pg_statistic",
    "INSERT INTO tenants (id, slug) VALUES (gen_random_uuid(), 'mine')", "DELETE FROM tenants",
    "UPDATE tenants SET policy = '{}'", "UPDATE tenants SET status = 'active'", "DELETE FROM audit_log",
    "UPDATE audit_log SET event = 'x'", "SELECT protect('users', '')", "CREATE PUBLICATION p FOR ALL TABLES",
)  # fmt: skip


@pytest.mark.parametrize("statement", ESCAPES)
def test_the_runtime_role_has_no_way_out(rows: Any, alice: Session, statement: str) -> None:
    code, text = alice.refused(statement, as_=attacking.context(rows[0].id))
    assert code in (DENIED, "0A000", "58P01", "42P01"), (code, text)
