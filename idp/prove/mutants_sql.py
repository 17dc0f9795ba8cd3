"""Walls of SQL, broken one at a time: each mutant is a statement that a superuser could run by mistake."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from idp.prove import borrowed, catalogue, runtime_role
from idp.prove.database import connect
from idp.prove.mutants import Progress, Scratch, Verdict
from idp.prove.promises import NotProved, Promise, Tally
from idp.prove.target import Target

HALF = "sql"
_TWO_SESSIONS = {"replayed_contexts"}
"""Promises that need a second session, which sees nothing of what is not committed."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A name, the statement that breaks the wall, and the tables on which the runtime role then attacks."""

    name: str
    statement: str
    attacked: tuple[str, ...] = ("users",)


_TENANT = (
    "CREATE OR REPLACE FUNCTION ctx.tenant() RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED "
    "SET search_path = pg_catalog, pg_temp AS $$DECLARE given text := current_setting('app.ctx', true); parts text[]; "
    "pads ctx.keys; BEGIN IF given IS NULL OR given = '' THEN RETURN NULL; END IF; "
    "parts := string_to_array(given, '.'); "
)
_PARTS = (
    "IF array_length(parts, 1) IS DISTINCT FROM 5 THEN RAISE 'malformed' USING ERRCODE = 'IDP02'; END IF; "
)
_SIGNED = (
    "SELECT * INTO pads FROM ctx.keys WHERE id = parts[2]; IF pads.id IS NULL OR encode(sha256(pads.outer_pad || "
    "sha256(pads.inner_pad || convert_to(parts[1] || '.' || parts[2] || '.' || parts[3] || '.' || parts[4], 'UTF8'))), "
    "'hex') <> parts[5] THEN RAISE 'forged' USING ERRCODE = 'IDP02'; END IF; "
)
_COPY = "SELECT id, tenant_id, username FROM users"
_NEW = "(tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id))"

MUTANTS = (
    Mutant("a dropped policy", "DROP POLICY tenant ON marks", ("marks",)),
    Mutant("row security off", "ALTER TABLE users DISABLE ROW LEVEL SECURITY"),
    Mutant("row security not forced on the owner", "ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY"),
    Mutant("a second policy that lets everything through", "CREATE POLICY open ON users TO idp_app USING (true)"),
    Mutant("a policy with an OR", "ALTER POLICY tenant ON users USING (tenant_id = (SELECT ctx.tenant()) OR true)"),
    Mutant("a policy that checks no writing", "ALTER POLICY tenant ON marks WITH CHECK (true)", ("marks",)),
    Mutant("a policy that believes a plain setting",
           "ALTER POLICY tenant ON users USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)"),
    Mutant("tenants that see each other", "ALTER POLICY tenant ON tenants USING (true)", ("tenants",)),
    Mutant("a context that needs no signature", f"{_TENANT}{_PARTS}RETURN parts[3]::uuid; END$$"),
    Mutant("a context that may be a bare tenant", f"{_TENANT}RETURN coalesce(parts[3], given)::uuid; END$$"),
    Mutant("a context that never ends", f"{_TENANT}{_PARTS}{_SIGNED}RETURN parts[3]::uuid; END$$"),
    Mutant("a context that opens everything when it is bad",
           "ALTER POLICY tenant ON users USING (tenant_id = (SELECT ctx.tenant()) "
           "OR current_setting('app.ctx', true) = 'garbage')"),
    Mutant("TRUNCATE", "GRANT TRUNCATE ON marks TO idp_app", ("marks",)),
    Mutant("UPDATE of the tenant", "GRANT UPDATE (tenant_id) ON users TO idp_app"),
    Mutant("REFERENCES", "GRANT REFERENCES ON users TO idp_app"),
    Mutant("TRIGGER", "GRANT TRIGGER ON users TO idp_app"),
    Mutant("SELECT for everybody", "GRANT SELECT ON users TO PUBLIC"),
    Mutant("a grant that can be handed on", "GRANT SELECT ON users TO idp_app WITH GRANT OPTION"),
    Mutant("DELETE of the audit", "GRANT DELETE ON audit_log TO idp_app", ("audit_log",)),
    Mutant("a readable key", "GRANT SELECT ON ctx.keys TO idp_app"),
    Mutant("a view with its owner's eyes",
           f"CREATE VIEW everyone AS {_COPY}; GRANT SELECT ON everyone TO idp_app", ("everyone",)),
    Mutant("a materialized view",
           f"CREATE MATERIALIZED VIEW everyone AS {_COPY}; GRANT SELECT ON everyone TO idp_app", ("everyone",)),
    Mutant("a partition that is reached directly",
           "CREATE TABLE parts (tenant_id uuid NOT NULL, id uuid NOT NULL) PARTITION BY HASH (tenant_id); "
           "CREATE TABLE part PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0); "
           "SELECT protect('parts', ''); GRANT SELECT, INSERT ON part TO idp_app", ("part",)),
    Mutant("a table that nobody protected",
           f"CREATE TABLE later {_NEW}; GRANT SELECT, INSERT ON later TO idp_app", ("later",)),
    Mutant("a unique value across tenants", "CREATE UNIQUE INDEX leak ON marks (digest)", ("marks",)),
    Mutant("a reference across tenants",
           "CREATE UNIQUE INDEX everywhere ON users (id); ALTER TABLE outbox ADD owner uuid REFERENCES users (id)",
           ("outbox",)),
    Mutant("an index that does not begin with the tenant", "CREATE INDEX slow ON users (email_norm)"),
    Mutant("a tenant that Postgres fills in", "ALTER TABLE marks ALTER tenant_id SET DEFAULT gen_random_uuid()"),
    Mutant("a function with its owner's rights",
           "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM users'; "
           "GRANT EXECUTE ON FUNCTION peek() TO idp_app"),
    Mutant("a function that is called leakproof", "ALTER FUNCTION touch_tenant() LEAKPROOF"),
    Mutant("a function that finds its names elsewhere", "ALTER FUNCTION directory.find(text, text) RESET search_path"),
    Mutant("a trigger with its owner's rights",
           "CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END'; "
           "CREATE TRIGGER copy AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION copy()"),
    Mutant("a rule", "CREATE RULE also AS ON INSERT TO marks DO ALSO NOTHING"),
    Mutant("a role that bypasses row security", "ALTER ROLE idp_app BYPASSRLS"),
    Mutant("a stranger that bypasses row security", "CREATE ROLE somebody LOGIN BYPASSRLS"),
    Mutant("membership of an owner", "GRANT idp_owner TO idp_app"),
    Mutant("an owner's rights inherited", "GRANT idp_owner TO idp_migrator WITH INHERIT TRUE"),
    Mutant("statements that others may read", "ALTER ROLE idp_app SET track_activities = on"),
    Mutant("others' statements", "GRANT EXECUTE ON FUNCTION pg_stat_get_activity(integer) TO idp_app"),
    Mutant("row security switched off by a setting", "ALTER ROLE idp_app SET row_security = off"),
    Mutant("default privileges", "ALTER DEFAULT PRIVILEGES FOR ROLE idp_owner GRANT SELECT ON TABLES TO idp_app"),
    Mutant("CREATE in the schema", "GRANT CREATE ON SCHEMA public TO idp_app"),
    Mutant("temporary tables", "DO $$BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO idp_app', "
           "current_database()); END$$"),
    Mutant("a publication of everything", "CREATE PUBLICATION everything FOR ALL TABLES"),
    Mutant("a sequence that all share", "CREATE SEQUENCE numbers; GRANT USAGE ON numbers TO idp_app"),
    Mutant("statistics across columns", "CREATE STATISTICS told ON username, email FROM users"),
    Mutant("a large object", "SELECT lo_create(0)"),
    Mutant("a copy among Postgres' own", "CREATE TABLE information_schema.copy AS SELECT * FROM users; "
           "GRANT SELECT ON information_schema.copy TO idp_app"),
    Mutant("the server's files", "GRANT EXECUTE ON FUNCTION pg_read_file(text, bigint, bigint) TO idp_app"),
    Mutant("passwords of roles", "GRANT SELECT ON pg_shadow TO idp_app"),
    Mutant("a schema before the temporary one",
           "ALTER FUNCTION ctx.tenant() SET search_path = pg_catalog, public, pg_temp"),
    Mutant("a context that is taken for unchanging", "ALTER FUNCTION ctx.tenant() IMMUTABLE"),
    Mutant("a known name on another index",
           "DROP INDEX tenants_changed_at; CREATE INDEX tenants_changed_at ON users (email_norm)"),
    Mutant("a trigger that tells of less",
           "CREATE OR REPLACE TRIGGER touch AFTER INSERT ON clients FOR EACH ROW EXECUTE FUNCTION touch_tenant()"),
    Mutant("references that nobody watches", "ALTER TABLE sessions DISABLE TRIGGER ALL", ("sessions",)),
)  # fmt: skip


def verdicts(scratch: Scratch, tell: Progress) -> Iterator[Verdict]:
    """Each mutant in one transaction that is rolled back: what of the proof turned red by it. Raises NotProved."""
    with closing(connect(scratch.superuser_url)) as connection:
        borrowed.superuser(connection)
        target = borrowed.world(connection)
        usual = _red(connection, target, frozenset({"users", "marks"}))
        if usual:
            raise NotProved(f"What is to be broken is broken already: {', '.join(sorted(usual))}.")
        for mutant in MUTANTS:
            tell(f"mutant: {mutant.name}")
            yield Verdict(HALF, mutant.name, _noticed(connection, target, mutant))
        connection.rollback()


def _noticed(connection: Any, target: Target, mutant: Mutant) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT whole")
        cursor.execute(mutant.statement)
        red = _red(connection, target, frozenset(mutant.attacked))
        cursor.execute("ROLLBACK TO whole")
    return tuple(red)


def _red(connection: Any, target: Target, attacked: frozenset[str]) -> list[str]:
    """Codes of the promises that do not hold for the runtime role in this transaction."""
    attacks = [promise for promise in runtime_role.PROMISES if promise.code not in _TWO_SESSIONS]
    return [
        promise.code
        for promise in (*attacks, *catalogue.PROMISES)
        if not _holds(promise, connection, target, attacked)
    ]


def _holds(promise: Promise, connection: Any, target: Target, attacked: frozenset[str]) -> bool:
    tally = Tally()
    with borrowed.lent(connection, target, attacked) as inside:
        promise.probe(inside, tally)
    return not [sentence for sentence in tally.found if _BORROWER not in sentence]


_BORROWER = "SET SESSION AUTHORIZATION"
"""What whoever lends the connection may do again, and a runtime role that logged in itself may not."""
