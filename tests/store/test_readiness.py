"""What the schema says of the code that may run on it."""

from idp.control import running
from idp.store import migrate


def test_a_schema_is_newer_than_the_code_only_where_it_is_marked_so(vault, database):
    def mark(text):
        database(f"COMMENT ON TABLE alembic_version IS {text}")

    assert migrate.compatible_from() == "0001"
    assert running.outgrown().ok
    try:
        mark("'compatible_from=9999'")
        assert not running.outgrown().ok
        assert "compatible with code from 9999" in running._schema().words
        mark("NULL")
        assert running.outgrown().ok
        database("UPDATE alembic_version SET version_num = '9998'")
        assert running._schema().ok  # N runs on the schema of N+1 as long as nobody says otherwise
        database("UPDATE alembic_version SET version_num = '0001'")
        assert "this code needs" in running._schema().words
    finally:
        mark("'compatible_from=0001'")
        database("UPDATE alembic_version SET version_num = %s", migrate.head())
