"""What a backup refuses to be: short, unread, or written by a role that row security binds."""

from pathlib import Path
from typing import Any

import psycopg2
import pytest

from idp import journal
from idp.config import ConfigError, Settings
from idp.control import backups
from idp.errors import Conflict, Invalid
from idp.store import load
from idp.tenants import Tenant


def test_every_row_of_every_table_is_in_it(
    settings: Settings, twins: tuple[Tenant, Tenant], database: Any, tmp_path: Path
) -> None:
    journal.flush()  # what earlier tests left to be written would come between the two looks
    done = backups.backup(settings, tmp_path / "all.idp")
    counted = {table: database(f"SELECT count(*) FROM {table}")[0][0] for table in database.tables()}
    assert {part.table: part.rows for part in done.parts} == counted
    with backups.whole(tmp_path / "all.idp") as found:
        assert found.manifest == done


def test_referenced_tables_come_first(settings: Settings, database: Any, tmp_path: Path) -> None:
    names = [part.table for part in backups.backup(settings, tmp_path / "all.idp").parts]
    assert names.index("tenants") < names.index("users") < names.index("sessions") < names.index("grants")


@pytest.mark.parametrize("role", ["database_url", "ops_database_url", "migrator_database_url"])
def test_a_role_that_row_security_binds_makes_none(
    settings: Settings, acme: Tenant, tmp_path: Path, role: str
) -> None:
    with pytest.raises(ConfigError, match="IDP_BACKUP_DATABASE_URL"):
        backups.backup(settings.with_(backup_database_url=getattr(settings, role)), tmp_path / "short.idp")
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_it_may_not_read_makes_none(settings: Settings, database: Any, tmp_path: Path) -> None:
    database("REVOKE SELECT ON groups FROM idp_backup")
    try:
        with pytest.raises(ConfigError, match="may not read groups"):
            backups.backup(settings, tmp_path / "short.idp")
    finally:
        database("GRANT SELECT ON groups TO idp_backup")
    assert list(tmp_path.iterdir()) == []


def test_without_its_role_it_says_which_setting(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="IDP_BACKUP_DATABASE_URL: is missing"):
        backups.backup(settings.with_(backup_database_url=None), tmp_path / "none.idp")


def test_a_place_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be written"):
        backups.backup(settings, tmp_path / "absent" / "all.idp")


def test_the_role_writes_nothing(settings: Settings, acme: Tenant) -> None:
    connection = psycopg2.connect(settings.backup_database_url)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM users")
    connection.close()


def test_a_database_that_holds_something_is_left_alone(
    settings: Settings, acme: Tenant, database: Any, tmp_path: Path
) -> None:
    backups.backup(settings, tmp_path / "all.idp")
    before = database("SELECT count(*) FROM users")
    with backups.whole(tmp_path / "all.idp") as found, pytest.raises(Conflict, match="empty cluster only"):
        backups.restore(settings, found)
    assert database("SELECT count(*) FROM users") == before


def test_the_counter_of_transactions_catches_up(settings: Settings, database: Any) -> None:
    ahead = int(database("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")[0][0]) + 5_000
    missing = load.behind(settings, ahead)
    assert missing > 4_000
    load.burn(settings, missing)
    assert load.behind(settings, ahead) == 0
