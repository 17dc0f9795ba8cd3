"""The proof's attacks of the runtime role, made on this suite's own database: every promise holds, nothing stays.

Acme is canary A, globex is canary B. What a broken wall does to each of these promises is tried by the mutants.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from idp.ids import uuid7
from idp.prove import attempts, clock, contexts, rows, runtime_role, sessions, verbs
from idp.prove.allowed import CONTROL_PLANE, TENANT
from idp.prove.attempts import Attacker, attacking
from idp.prove.database import asking
from idp.prove.promises import Promise, Tally
from idp.prove.target import Canary, Program, Target
from tests.isolation.attacking import context

PROMISES = (*runtime_role.PROMISES, *sessions.PROMISES)


def _canary(slug: str, identifier: UUID) -> Canary:
    return Canary(
        slug, str(identifier), f"http://localhost/t/{slug}", {}, {},
        context=context(identifier, lives=600), expired=context(identifier, lives=-5),
    )  # fmt: skip


@pytest.fixture(scope="module")
def target(services: Any, vault: Any) -> Iterator[Target]:
    """Acme and globex as canaries: tenant, host, application and user each, as operators and people make them."""
    database = services.superuser
    database("DELETE FROM tenants")
    canaries = [_canary(slug, uuid7()) for slug in ("acme", "globex")]
    for each in canaries:
        database(
            "INSERT INTO tenants (id, slug, name, status, policy, branding, version, changed_at, visited_at, "
            "created_at) VALUES (%s, %s, %s, 'active', '{}', '{}', 1, now(), now(), now())",
            each.id, each.slug, each.slug,
        )  # fmt: skip
        database(
            "INSERT INTO hosts (tenant_id, id, host, status, challenge, created_at) "
            "VALUES (%s, gen_random_uuid(), %s, 'pending', 'x', now())", each.id, f"{each.slug}.example.net",
        )  # fmt: skip
        database(
            "INSERT INTO enabled_applications (tenant_id, id, application_id, client_id, metadata, settings, secrets, "
            "status, enabled) VALUES (%s, gen_random_uuid(), gen_random_uuid(), 'suite', '{}', '{}', '[]', 'active', "
            "true)", each.id,
        )  # fmt: skip
        database(
            "INSERT INTO users (tenant_id, id, username, username_norm, username_skeleton, email_verified, claims, "
            "status, created_at, updated_at) VALUES (%s, gen_random_uuid(), 'alice', 'alice', 'alice', false, '{}', "
            "'active', now(), now())", each.id,
        )  # fmt: skip
    yield Target(
        base_url="http://localhost", management_url=None, database_url=vault.database_url, owner_database_url=None,
        redis_url=vault.redis_url, redis_admin_url=None, routes=(), a=canaries[0], b=canaries[1],
        program=Program([], {}),
    )  # fmt: skip
    database("DELETE FROM tenants")


def _everything(services: Any) -> dict[str, Any]:
    return {
        table: services.superuser(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t")
        for table in services.superuser.tables()
    }


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.code)
def test_the_promise_holds_and_nothing_stays(services: Any, target: Target, promise: Promise) -> None:
    before, tally = _everything(services), Tally()
    promise.probe(target, tally)
    assert tally.found == []
    assert tally.tried > 10
    assert _everything(services) == before


def test_every_table_is_tried(target: Target) -> None:
    with asking(target) as ask, attacking(target) as attacker:
        tally = Tally()
        tried = [field.table.name for field in rows.fields(target, tally, attacker, ask)]
    assert tried == sorted([*TENANT, *CONTROL_PLANE]) and tally.found == []


def test_a_table_that_cannot_be_planted_is_a_finding(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(rows._VALUES, "bytea")
    tally = Tally()
    runtime_role.planted_rows(target, tally)
    assert any("marks could not be tried" in sentence for sentence in tally.found)
    tally = Tally()
    stranger = dataclasses.replace(target, b=dataclasses.replace(target.b, context=target.a.expired))
    runtime_role.planted_rows(stranger, tally)
    assert len(tally.found) >= len(TENANT)


def test_a_statement_that_reaches_something_is_told(target: Target) -> None:
    """Each verb really runs: as B itself, who may, it shows or changes B's rows."""
    with asking(target) as ask, attacking(target) as attacker:
        every = rows.tables(ask)
        field = rows.plant(attacker, every["users"], every, target.a, target.b)
        reached = {
            name: attacker.attempt(verb(field, target.b.id, field.ids.theirs), target.b.context)
            for name, verb in verbs.VERBS.items()
        }
        attacker.end()
    dumb = {name for name, answer in reached.items() if answer.nothing}
    assert dumb == {
        "COPY FROM", "UPDATE tenant_id", "UPDATE id", "TRUNCATE", "TRUNCATE CASCADE",  # nobody may
        "INSERT", "INSERT … RETURNING",  # the row is there
        "ON CONFLICT DO NOTHING", "ON CONFLICT (key) DO NOTHING", "MERGE INSERT",
    }  # fmt: skip


def test_bad_contexts_are_made_without_a_key(target: Target) -> None:
    made = contexts.bad(target.a, target.b)
    assert len(set(made.values())) == len(made) > 12
    assert target.a.context not in made.values() and target.b.context not in made.values()


def test_attempts_are_spaced(target: Target) -> None:
    with attacking(target) as attacker:
        assert isinstance(attacker, Attacker)
        attacker.begin()
        began = clock.elapsed()
        for _ in range(100):
            attacker.attempt("SELECT 1")
        assert clock.elapsed() - began >= 99 / attempts.PER_SECOND
        attacker.end()
