"""What the text of a migration's statement tells: its lock, its table, its work."""

import pytest

from idp.store import ddl
from idp.store.ddl import Work

A, S, R, U = "ACCESS EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"


@pytest.mark.parametrize(
    ("statement", "lock", "table", "work"),
    [
        ("ALTER TABLE users ADD COLUMN nick TEXT", A, "users", Work.NONE),
        ("ALTER TABLE users ADD COLUMN n INTEGER NOT NULL DEFAULT 0", A, "users", Work.NONE),
        ("ALTER TABLE users ADD COLUMN n TIMESTAMPTZ DEFAULT now()", A, "users", Work.NONE),
        ("ALTER TABLE users ADD COLUMN n UUID DEFAULT gen_random_uuid()", A, "users", Work.REWRITE),
        ("ALTER TABLE users ADD n INT GENERATED ALWAYS AS (1) STORED", A, "users", Work.REWRITE),
        ("ALTER TABLE ONLY users ALTER COLUMN claims TYPE JSON", A, "users", Work.REWRITE),
        ("ALTER TABLE users ALTER email SET NOT NULL", A, "users", Work.SCAN),
        ("ALTER TABLE users ADD CONSTRAINT c CHECK (id IS NOT NULL)", A, "users", Work.SCAN),
        ("ALTER TABLE users ADD CONSTRAINT c CHECK (id IS NOT NULL) NOT VALID", R, "users", Work.NONE),
        ("ALTER TABLE users VALIDATE CONSTRAINT c", U, "users", Work.SCAN),
        ("ALTER TABLE grants ADD FOREIGN KEY (a, b) REFERENCES users (a, b)", R, "grants", Work.SCAN),
        ("ALTER TABLE users ADD UNIQUE (tenant_id, email)", A, "users", Work.BUILD),
        ("CREATE INDEX users_email ON users (tenant_id, email)", S, "users", Work.BUILD),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON public.users (tenant_id)", U, "public.users", Work.BUILD),
        ("CREATE TABLE later (id UUID REFERENCES users (id))", None, None, Work.NONE),
        ("CREATE POLICY p ON outbox FOR SELECT USING (true)", A, "outbox", Work.NONE),
        ("CREATE TRIGGER touch AFTER INSERT ON apis FOR EACH ROW EXECUTE FUNCTION f()", R, "apis", Work.NONE),
        ("SELECT protect('later', 'update')", A, "later", Work.NONE),
        ("UPDATE users SET status = 'active'", "ROW EXCLUSIVE", "users", Work.ROWS),
        ("GRANT SELECT ON users TO idp_app", None, None, Work.NONE),
        ("DO $$ BEGIN PERFORM 1; END $$", None, None, Work.UNKNOWN),
    ],
)
def test_effects(statement: str, lock: str | None, table: str | None, work: Work) -> None:
    assert ddl.effect(statement) == ddl.Effect(lock, table, work)


def test_a_script_is_cut_at_its_own_semicolons() -> None:
    script = """
    -- Running upgrade; with a semicolon
    SET ROLE idp_owner;
    CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $body$ BEGIN RETURN ';'; END $body$;
    /* ; */ COMMENT ON TABLE t IS 'it''s; this'; SELECT 1
    """
    found = list(ddl.statements(script))
    assert [each.split()[0] for each in found] == ["SET", "CREATE", "COMMENT", "SELECT"]


def test_more_bytes_take_longer_and_no_work_takes_none() -> None:
    assert ddl.seconds(Work.REWRITE, 10**9) > ddl.seconds(Work.SCAN, 10**9) > 1
    assert ddl.seconds(Work.NONE, 10**12) == 0
