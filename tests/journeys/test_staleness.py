"""How old what a process keeps in memory may be: a second, whoever changed it and wherever."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt as pyjwt
import pytest
from redis import Redis as RedisClient
from sqlalchemy import event

from idp import directory, throttle
from idp.embedded.redis import OPERATOR
from idp.errors import Busy
from idp.store import database as vault_database
from idp.tenants import Tenant
from tests.playing import relying_party

BOUND = 1.0
"""Seconds after which a change made by another process must be known here."""
SLACK = 1.0
"""Seconds more that a machine busy with other things may take before a test calls it a failure."""


def ask(app: Any, tenant: Tenant) -> Any:
    """A token for the service `nightly`."""
    return relying_party(app, tenant, "nightly").post("token", {"grant_type": "client_credentials"})


def within(bound: float, condition: Callable[[], bool]) -> float:
    """Seconds until `condition` held; fails when it does not in time."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < bound + SLACK, "not known in time"
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def warm(app: Any, acme: Tenant) -> Any:
    """The application, which has answered this service before, and nobody has failed."""
    throttle.forget()
    assert ask(app, acme).status_code == 200
    within(2, directory.fresh)
    assert ask(app, acme).status_code == 200
    return app


def test_a_client_disabled_by_another_process(warm: Any, acme: Tenant, globex: Tenant, database: Any) -> None:
    assert ask(warm, globex).status_code == 200
    database(
        "UPDATE clients SET status = 'disabled' WHERE tenant_id = %s AND client_id = 'nightly'", str(acme.id)
    )
    within(BOUND, lambda: ask(warm, acme).status_code == 401)
    assert ask(warm, globex).status_code == 200


def test_a_secret_removed_by_another_process(warm: Any, acme: Tenant, database: Any) -> None:
    database("DELETE FROM client_secrets WHERE tenant_id = %s", str(acme.id))
    within(BOUND, lambda: ask(warm, acme).status_code == 401)


def test_a_grant_withdrawn_by_another_process(warm: Any, acme: Tenant, database: Any) -> None:
    assert "orders.read" in ask(warm, acme).get_json()["scope"]
    database("DELETE FROM api_grants WHERE tenant_id = %s", str(acme.id))
    within(BOUND, lambda: "orders.read" not in (ask(warm, acme).get_json().get("scope") or ""))


def test_a_tenant_suspended_by_another_process(
    warm: Any, acme: Tenant, globex: Tenant, database: Any
) -> None:
    database(
        "UPDATE tenants SET status = 'suspended', version = version + 1, changed_at = clock_timestamp() WHERE id = %s",
        str(acme.id),
    )
    within(BOUND, lambda: ask(warm, acme).status_code != 200)
    assert ask(warm, globex).status_code == 200


def test_a_key_revoked_by_another_process(warm: Any, acme: Tenant, database: Any) -> None:
    def kid() -> str:
        answer = ask(warm, acme)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return str(pyjwt.get_unverified_header(answer.get_json()["access_token"])["kid"])

    former = kid()
    database(
        "UPDATE signing_keys SET activate_at = now() - interval '1 day' WHERE tenant_id = %s AND kid <> %s; "
        "UPDATE signing_keys SET revoked_at = now(), gone_at = now() WHERE tenant_id = %s AND kid = %s",
        str(acme.id), former, str(acme.id), former,
    )  # fmt: skip
    within(BOUND, lambda: kid() != former)
    published = warm.test_client().get("/t/acme/jwks.json").get_json()["keys"]
    assert former not in {key["kid"] for key in published}


def test_an_unknown_tenant_that_appears_is_found(app: Any, acme: Tenant, database: Any) -> None:
    path = "/t/newcomer/.well-known/openid-configuration"
    assert app.test_client().get(path).status_code == 404
    database(
        "INSERT INTO tenants (id, slug, name, status, policy, branding, version, changed_at, visited_at, created_at) "
        "VALUES (gen_random_uuid(), 'newcomer', 'Newcomer', 'active', '{}', '{}', 1, clock_timestamp(), now(), now())"
    )
    within(BOUND, lambda: app.test_client().get(path).status_code == 200)


@pytest.fixture
def statements(vault: Any) -> Iterator[list[str]]:
    """Statements that this thread sends to Postgres; the directory's own thread asks in its own."""
    seen: list[str] = []
    here = threading.get_ident()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if threading.get_ident() == here:
            seen.append(statement)

    engine = vault_database._engine()
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_client_credentials_ask_neither_postgres_nor_redis(
    warm: Any, acme: Tenant, services: Any, statements: list[str]
) -> None:
    def commands() -> int:
        with RedisClient.from_url(services.redis.url(OPERATOR)) as operator:
            stats = operator.info("commandstats")
        counted = (
            "cmdstat_get",
            "cmdstat_set",
            "cmdstat_eval",
            "cmdstat_evalsha",
            "cmdstat_getdel",
            "cmdstat_del",
        )
        return sum(stats.get(name, {}).get("calls", 0) for name in counted)

    before = commands()
    for _ in range(20):
        answer = ask(warm, acme)
        assert answer.status_code == 200, json.dumps(answer.get_json())
    assert statements == []
    # Twenty requests would need twenty at least; one of somebody's in the background is none of theirs.
    assert commands() - before < 10


def test_a_directory_that_hears_nothing_reads_postgres(
    warm: Any, acme: Tenant, database: Any, monkeypatch: Any
) -> None:
    def deaf() -> None:
        raise Busy

    monkeypatch.setattr(directory, "poll", deaf)
    database(
        "UPDATE clients SET status = 'disabled' WHERE tenant_id = %s AND client_id = 'nightly'", str(acme.id)
    )
    within(BOUND, lambda: ask(warm, acme).status_code == 401)
