"""The test bed itself: a runtime role without powers, tenants that differ, time that stands still."""

import socket
import time

import psycopg2
import pytest

from idp import clock, directory
from idp.tenants import entered


def test_runtime_role_is_no_superuser_and_bypasses_nothing(database):
    rows = database("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'idp_app'")
    assert rows == [(False, False, False)]


def test_runtime_role_sees_no_tenant_without_a_context(settings, acme):
    with psycopg2.connect(settings.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenants")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_twins_have_equal_names_and_different_ids(acme, globex):
    assert acme.id != globex.id
    assert acme.issuer == "http://localhost/t/acme"


def test_twins_come_back_for_every_test(acme, globex, database):
    assert database("SELECT count(*) FROM tenants") == [(2,)]
    with entered(acme):
        assert directory.by_id(acme.id) is not None


def test_database_is_empty_at_first(database):
    assert database("SELECT count(*) FROM tenants") == [(0,)]


def test_frozen_time_moves_only_when_told(frozen):
    with frozen("2031-05-06") as hands:
        before = clock.epoch()
        time.sleep(0.01)
        assert clock.epoch() == before
        hands.tick(60)
        assert clock.epoch() == before + 60
        assert clock.now().year == 2031


def test_frozen_far_future_still_reaches_the_database(frozen, acme):
    with frozen("2036-01-01"):
        directory.forget_all()
        assert directory.by_id(acme.id) is not None


def test_network_is_off():
    with socket.socket() as probe, pytest.raises(PermissionError):
        probe.connect(("192.0.2.1", 80))
