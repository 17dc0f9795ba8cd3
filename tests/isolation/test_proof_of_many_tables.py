"""The SQL half of a proof on a hundred tables: how long it takes, and that each of them was tried."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from idp.prove import allowed, borrowed, catalogue, catalogue_tables, runtime_role
from idp.prove.database import connect
from idp.prove.promises import Tally

pytestmark = pytest.mark.slow
WANTED = 100
_MADE = (
    "CREATE TABLE many_{n} (tenant_id uuid NOT NULL, id uuid NOT NULL, owner_id uuid NOT NULL, name text NOT NULL, "
    "digest bytea NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, digest), "
    "FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE, "
    "FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE); "
    "CREATE INDEX many_{n}_owner ON many_{n} (tenant_id, owner_id); SELECT protect('many_{n}', 'update delete')"
)


@pytest.fixture
def many(services: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A superuser's transaction in which there are a hundred tables of tenants' rows, all of them known."""
    services.superuser("DROP SCHEMA IF EXISTS seed CASCADE")
    present = len(allowed.TENANT) + len(allowed.CONTROL_PLANE)
    names = [f"many_{number}" for number in range(WANTED - present)]
    monkeypatch.setattr(catalogue_tables, "TENANT", {**allowed.TENANT, **dict.fromkeys(names, allowed.FULL)})
    connection = connect(services.superuser.url)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE idp_owner")
        for number in range(len(names)):
            cursor.execute(_MADE.format(n=number))
        cursor.execute("RESET ROLE")
    yield connection
    connection.rollback()
    connection.close()


def test_a_hundred_tables_are_proved_within_a_minute(many: Any, record_property: Any) -> None:
    target = borrowed.world(many)
    began, tried = time.thread_time(), {}
    for promise in (*catalogue.PROMISES, *runtime_role.PROMISES):
        if promise.code in ("replayed_contexts", "bad_contexts", "after_an_exception"):
            continue  # the same verbs once more, which the figure in docs/operations.md counts
        tally = Tally()
        with borrowed.lent(many, target, None) as inside:
            promise.probe(inside, tally)
        assert [each for each in tally.found if "SESSION AUTHORIZATION" not in each] == []
        tried[promise.code] = tally.tried
    record_property("processor_seconds", time.thread_time() - began)
    assert tried["planted_rows"] == 2 * WANTED
    assert tried["foreign_looks_absent"] == 49 * WANTED
