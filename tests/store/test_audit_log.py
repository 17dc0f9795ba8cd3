"""The audit: with its change or not at all, never changed, chained after the commit, each tenant its own."""

import threading
from typing import Any
from uuid import uuid4

import pytest

from idp import audit, logs, seals
from idp.audit import Actor, Event
from idp.store.database import transaction
from idp.store.durable import audit_log
from idp.tenants import Tenant, entered


def recorded(**facts: Any) -> None:
    audit.record(Event.USER_UPDATED, **facts)


@pytest.fixture
def clean(twins: tuple[Tenant, Tenant], database: Any) -> Any:
    """Nothing recorded yet; the twins' making left rows of its own."""
    database("DELETE FROM audit_log; DELETE FROM audit_seals")
    return database


def test_au05_a_record_stands_or_falls_with_its_change(acme: Tenant, clean: Any) -> None:
    with entered(acme):
        with pytest.raises(RuntimeError), transaction():
            recorded(n=1)
            raise RuntimeError
        assert audit_log.recent() == ()
        recorded(n=2)
        (row,) = audit_log.recent()
        assert (row.event, row.facts, row.actor) == ("user.updated", {"n": 2}, {"kind": "system"})


def test_au06_another_tenant_sees_neither_rows_nor_seals_nor_counts(
    twins: tuple[Tenant, Tenant], clean: Any
) -> None:
    acme, globex = twins
    with entered(acme):
        for number in range(3):
            recorded(n=number)
        assert seals.seal() == 3
    with entered(globex):
        assert audit_log.recent() == ()
        assert audit_log.last_seal() is None
        assert audit_log.unsealed(0) == 0
        assert audit_log.settled(0, 10) == []
        assert audit_log.between(0, 2**62) == []
        assert seals.seal() == 0
        assert seals.verify() == seals.Verdict(0, 0, 0, seals.START.hex(), ())
        recorded(n=9)
        assert seals.seal() == 1
    with entered(acme):
        verdict = seals.verify()
        assert (verdict.seals, verdict.rows, verdict.unsealed, verdict.broken) == (1, 3, 0, ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET event = 'x.y'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "UPDATE audit_seals SET count = 0",
        "DELETE FROM audit_seals",
        "TRUNCATE audit_seals",
    ],
)
def test_au01_the_runtime_role_can_insert_and_read_no_more(acme: Tenant, clean: Any, statement: str) -> None:
    with entered(acme), pytest.raises(Exception, match="permission denied"), transaction() as tx:
        tx.connection().exec_driver_sql(statement)


def test_au01_the_chain_follows_and_counts_its_tail(acme: Tenant, clean: Any) -> None:
    with entered(acme):
        for round_ in range(3):
            with transaction():
                for number in range(4):
                    recorded(round=round_, n=number)
            assert seals.seal() == 4
        recorded(n="tail")
        verdict = seals.verify()
        assert (verdict.seals, verdict.rows, verdict.unsealed, verdict.whole) == (3, 12, 1, True)
        assert seals.seal() == 1
        assert seals.seal() == 0
        assert seals.verify().unsealed == 0


TAMPERING = {
    "a fact": "UPDATE audit_log SET facts = '{\"n\": 99}' WHERE facts->>'n' = '2'",
    "an actor": "UPDATE audit_log SET actor = '{\"kind\": \"user\"}' WHERE facts->>'n' = '2'",
    "a time": "UPDATE audit_log SET at = at + interval '1 microsecond' WHERE facts->>'n' = '2'",
    "a name": "UPDATE audit_log SET event = 'user.created' WHERE facts->>'n' = '2'",
    "a removed row": "DELETE FROM audit_log WHERE facts->>'n' = '2'",
    "a removed last row": "DELETE FROM audit_log WHERE facts->>'n' = '5'",
    "a row slipped in": "INSERT INTO audit_log SELECT tenant_id, gen_random_uuid(), xid, event, actor, facts, at "
    "FROM audit_log WHERE facts->>'n' = '2'",
    "a removed seal": "DELETE FROM audit_seals WHERE number = 2",
    "a removed first seal": "DELETE FROM audit_seals WHERE number = 1",
    "a seal's count": "UPDATE audit_seals SET count = count + 1 WHERE number = 2",
    "a seal's digest": "UPDATE audit_seals SET digest = sha256(digest) WHERE number = 2",
}


@pytest.mark.parametrize("what", list(TAMPERING))
def test_au01_tampering_is_found(acme: Tenant, clean: Any, what: str) -> None:
    with entered(acme):
        for number in range(6):
            recorded(n=number)
            if number % 2:
                seals.seal()
        assert seals.verify().whole
        clean(TAMPERING[what])
        assert not seals.verify().whole


def test_a_slow_transaction_is_never_passed_over(acme: Tenant, clean: Any) -> None:
    """Its rows are older than rows that commit before them; a seal by time or id would leave them out."""
    written, finish = threading.Event(), threading.Event()

    def slow() -> None:
        with entered(acme), transaction():
            recorded(n="slow")
            written.set()
            finish.wait(5)

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(5)
    with entered(acme):
        recorded(n="quick")
        assert seals.seal() == 0, "nothing after a transaction that still runs"
        finish.set()
        thread.join()
        assert seals.seal() == 2
        verdict = seals.verify()
        assert (verdict.rows, verdict.unsealed, verdict.whole) == (2, 0, True)


def test_f29_two_workers_make_one_chain(acme: Tenant, clean: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def work(number: int) -> None:
        with entered(acme):
            recorded(n=number)
            seals.seal()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(30)))
    with entered(acme):
        seals.seal()
        verdict = seals.verify()
        assert (verdict.rows, verdict.unsealed, verdict.whole) == (30, 0, True)


def test_a_long_tail_is_sealed_in_portions(acme: Tenant, clean: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "MOST_ROWS", 5)
    with entered(acme):
        with transaction():
            for number in range(8):
                recorded(n=number)
        for number in range(8):
            recorded(n=number)
        assert [seals.seal() for _ in range(4)] == [8, 5, 3, 0]
        assert seals.verify().whole


def test_who_acted_and_for_which_request_is_recorded(acme: Tenant, clean: Any) -> None:
    mark = logs.request.set("r1")
    with entered(acme), audit.acting(Actor("operator", "ops@host", reason="test")):
        recorded()
        audit.record(Event.SIGN_IN_FAILED, Actor("user", str(uuid4()), "192.0.2.1"))
        logs.request.reset(mark)
        newest, first = audit_log.recent()
        assert first.actor == {"kind": "operator", "id": "ops@host", "reason": "test"}
        assert newest.actor["kind"] == "user"
        assert first.request_id == newest.request_id == "r1"
        assert audit_log.recent(event="sign_in.failed") == (newest,)


@pytest.mark.parametrize(
    "facts",
    [
        {"password": "x"},
        {"client_secret": "x"},
        {"refresh_token": "x"},
        {"token": "x"},
        {"code": "x"},
        {"code_verifier": "x"},
        {"client_assertion": "x"},
        {"deep": [{"id_token": "x"}]},
        {"innocent": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.x"},
        {"innocent": "$argon2id$v=19$m=19456"},
        {"innocent": "-----BEGIN PRIVATE KEY-----"},
    ],
)
def test_au03_a_fact_that_would_hold_a_secret_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must not hold"):
        audit.entry(Event.USER_UPDATED, **facts)


def test_ids_of_secrets_and_counts_of_tokens_are_no_secrets() -> None:
    made = audit.entry(
        Event.TOKEN_REVOKED, secret_id=uuid4(), token_count=3, scopes={"b", "a"}, name="x" * 5000
    )
    assert made.facts["scopes"] == ["a", "b"]
    assert len(made.facts["name"]) == 2000


def test_every_event_is_a_subject_and_an_action() -> None:
    for event in Event:
        subject, action = event.value.split(".")
        assert event.name == f"{subject}_{action}".upper()


def test_the_directory_hears_of_what_is_not_sealed(acme: Tenant, clean: Any) -> None:
    from idp import upkeep

    clean("UPDATE tenants SET visited_at = now() + interval '1 day'")
    clean("DELETE FROM outbox")
    assert acme.id not in set(upkeep.due())
    with entered(acme):
        recorded()
        assert set(upkeep.due()) == {acme.id}
        seals.seal()
    assert acme.id not in set(upkeep.due())


def test_f30_rows_restored_into_a_cluster_that_counts_from_below_are_told_and_not_sealed(
    acme: Tenant, clean: Any
) -> None:
    with entered(acme):
        recorded(n=1)
        seals.seal()
        ahead = "(SELECT (pg_current_xact_id()::text::bigint + 1000000)::text::xid8)"
        clean(f"UPDATE audit_log SET xid = {ahead}")
        clean("UPDATE audit_seals SET last_xid = (SELECT xid FROM audit_log LIMIT 1)")
        recorded(n=2)
        assert seals.seal() == 0
        assert any("restored elsewhere" in fault for fault in seals.verify().broken)


def test_a_persons_own_events_are_those_about_them_in_their_tenant(
    twins: tuple[Tenant, Tenant], clean: Any
) -> None:
    alice, bob = uuid4(), uuid4()
    names = [Event.USER_UPDATED.value, Event.SESSION_STARTED.value]
    for tenant in twins:
        with entered(tenant):
            audit.record(Event.SESSION_STARTED, Actor("user", str(alice), "192.0.2.1"), n=tenant.slug)
            audit.record(Event.USER_UPDATED, Actor("operator", "root@here"), user_id=alice)
            audit.record(Event.USER_UPDATED, Actor("user", str(bob)), user_id=alice)
            audit.record(Event.USER_DISABLED, user_id=alice)
            audit.record(Event.USER_UPDATED, Actor("client", "web"), n=1)
            audit.record(Event.USER_UPDATED, user_id="no id")
    for tenant in twins:
        with entered(tenant):
            rows = audit_log.of_person(alice, names)
            assert [row.event for row in rows] == ["user.updated", "session.started"]
            assert rows[1].facts["n"] == tenant.slug
            assert audit_log.of_person(alice, names, rows[0].at) == rows[1:]
            assert audit_log.of_person(alice, names, limit=1) == rows[:1]
            assert audit_log.of_person(alice, []) == ()
            assert seals.seal() == 6 and seals.verify().whole
