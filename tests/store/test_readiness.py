"""What the schema says of the code that may run on it, and what Postgres tells of all tenants at once."""

import datetime as dt
import subprocess
import sys

from idp import audit, clock, paths
from idp.audit import Event
from idp.control.readiness import infrastructure
from idp.control.readiness.world import World
from idp.store import migrate, revision
from idp.store.durable import gates, tenants
from idp.tenants import entered


def test_a_schema_is_newer_than_the_code_only_where_it_is_marked_so(vault, database):
    def mark(text):
        database(f"COMMENT ON TABLE alembic_version IS {text}")

    def schema():
        return infrastructure.schema(World(vault))

    assert revision.compatible_from() == "0001"
    assert infrastructure.outgrown(World(vault)).holds
    try:
        mark("'compatible_from=9999'")
        assert not infrastructure.outgrown(World(vault)).holds
        assert "compatible with code from 9999" in schema().words
        mark("NULL")
        assert infrastructure.outgrown(World(vault)).holds
        database("UPDATE alembic_version SET version_num = '9998'")
        assert schema().holds  # N runs on the schema of N+1 as long as nobody says otherwise
        database("UPDATE alembic_version SET version_num = '0001'")
        assert "this code needs" in schema().words
    finally:
        mark("'compatible_from=0001'")
        database("UPDATE alembic_version SET version_num = %s", revision.head())


def test_the_oldest_work_of_any_tenant_is_what_the_worker_lags_by(database, acme, globex):
    database("UPDATE audit_seals SET last_xid = pg_current_xact_id()")
    database("DELETE FROM audit_log")
    database("DELETE FROM outbox")
    assert tenants.lag(clock.now()) == 0
    with entered(globex):
        audit.record(Event.USER_UPDATED)
    assert 60 <= tenants.lag(clock.now() + dt.timedelta(seconds=60)) < 120


def test_a_tenant_whose_keys_are_behind_is_found(database, acme, globex):
    at = clock.now()
    assert tenants.keys_behind(at) is None
    database(
        "DELETE FROM signing_keys WHERE tenant_id = %s AND alg = 'ES256' AND activate_at > now()",
        str(globex.id),
    )
    assert tenants.keys_behind(at) == tenants.Behind("globex", "ES256", lonely=True)
    database("UPDATE tenants SET status = 'suspended' WHERE id = %s", str(globex.id))
    assert tenants.keys_behind(at) is None
    database(
        "UPDATE signing_keys SET activate_at = activate_at - interval '92 days' WHERE activate_at < now()"
    )
    assert tenants.keys_behind(at).lonely is False


def test_the_last_result_of_a_gate_replaces_the_one_before(database):
    database("DELETE FROM gates")
    for green in (False, True):
        gates.keep(gates.Kept("integration", clock.now(), green, {"checks": [str(green)]}))
    kept = gates.every()
    assert set(kept) == {"integration"} and kept["integration"].green
    assert kept["integration"].content == {"checks": ["True"]}
    database("DELETE FROM gates")


def test_the_newest_file_is_the_head_of_the_chain():
    """Nothing but a migration loads Alembic, so the head is told by the files' names; the two must agree."""
    assert migrate.revisions()[-1] == revision.head()
    files = list((paths.migrations() / "versions").glob("[0-9]*.py"))
    assert len(migrate.revisions()) == len(files)


def test_who_serves_loads_no_alembic():
    words = (
        "import sys, idp.app, idp.cli.serve, idp.control.running, idp.control.readiness.run; "
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, cwd=paths.PACKAGE.parent
    )
    assert done.stdout.strip() == "False"
