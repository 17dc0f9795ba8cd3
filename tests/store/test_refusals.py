"""Refusals and activity through the journal: bounded, batched, redacted, each tenant its own."""

import time
from typing import Any
from uuid import uuid4

import pytest

from idp import clock, explain, journal
from idp.errors import Busy, InvalidRequest
from idp.journal import Journal
from idp.store.durable import activity, refusals
from idp.tenants import Tenant, entered


@pytest.fixture(autouse=True)
def _own_journal(monkeypatch: pytest.MonkeyPatch) -> Any:
    own = Journal()
    monkeypatch.setattr(journal, "_journal", own)
    yield
    own.stop()


def test_what_was_refused_is_found_by_its_id_in_its_tenant_only(twins: tuple[Tenant, Tenant]) -> None:
    acme, globex = twins
    problem = InvalidRequest(
        rule="redirect_uri.exact", expected="a registered one", got="https://x/", setting="s"
    )
    with entered(acme):
        explain.refused("r1", problem, "/authorize")
        assert journal.flush() == 0
        (row,) = explain.look_up("r1")
        assert (row.code, row.rule, row.got, row.path) == (
            "invalid_request",
            problem.rule,
            "https://x/",
            "/authorize",
        )
    with entered(globex):
        assert explain.look_up("r1") == ()
        assert refusals.purge(clock.now() + explain.KEPT) == 0
    with entered(acme):
        assert len(explain.look_up("r1")) == 1


def test_a_refusal_is_kept_for_seven_days(acme: Tenant, frozen: Any) -> None:
    with frozen("2030-01-01") as at, entered(acme):
        explain.refused("r1", InvalidRequest(), "/token")
        journal.flush()
        at.tick(7 * 86_400)
        assert len(explain.look_up("r1")) == 1
        at.tick(1)
        assert explain.look_up("r1") == ()
        assert refusals.purge(clock.now() - explain.KEPT) >= 1  # other tests' lines may have been waiting
        assert refusals.purge(clock.now() - explain.KEPT) == 0


def test_a_line_is_written_within_a_second_without_anybody_asking(acme: Tenant) -> None:
    with entered(acme):
        explain.refused("r1", InvalidRequest(), "/token")
        begun = time.monotonic()
        while not explain.look_up("r1"):
            assert time.monotonic() - begun < 2
            time.sleep(0.05)


def test_a_refusal_outside_any_tenant_is_counted_and_not_kept(vault: Any) -> None:
    explain.refused("r1", InvalidRequest(), "/token")
    assert journal.flush() == 0


@pytest.mark.parametrize(
    ("got", "told"),
    [
        (None, None),
        (5, "5"),
        ("https://rp.example/callback?x=1", "https://rp.example/callback?x=1"),
        ("3f1c9a52-0c8e-7d11-9f43-2f0a6f1d2b3c", "3f1c9a52-0c8e-7d11-9f43-2f0a6f1d2b3c"),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA", "[30 characters]"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln", "[40 characters]"),
        ("no alice@example.com here", "no [address] here"),
        ("a\x00b\ud800", "a?b?"),
        ("x " * 400, "x " * 150 + "… (800 characters)"),
    ],
)
def test_au03_values_are_redacted(got: object, told: str | None) -> None:
    assert explain.redacted(got) == told


def test_tokens_issued_are_summed_in_a_batch_each_tenant_its_own(twins: tuple[Tenant, Tenant]) -> None:
    acme, globex = twins
    client = uuid4()
    for tenant, times in ((acme, 700), (globex, 1)):
        with entered(tenant):
            for _ in range(times):
                journal.issued(client, "client_credentials", ["orders.read"], "r7")
    assert journal.flush() == 0
    with entered(acme):
        rows = activity.recent()
        assert sum(row.count for row in rows) == 700
        assert len(rows) <= 4
        assert {(row.client_id, row.kind, tuple(row.scopes)) for row in rows} == {
            (client, "client_credentials", ("orders.read",))
        }
    with entered(globex):
        (row,) = activity.recent()
        assert (row.count, row.request_id) == (1, "r7")
        assert activity.purge(clock.now() + explain.KEPT) == 1
    with entered(acme):
        assert sum(row.count for row in activity.recent()) == 700


def test_a_full_queue_answers_503_to_tokens_and_drops_refusals(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Journal(capacity=3)
    small._pid = __import__("os").getpid()  # no thread: nothing empties it
    monkeypatch.setattr(journal, "_journal", small)
    with entered(acme):
        for _ in range(3):
            journal.issued(uuid4(), "client_credentials", [])
        with pytest.raises(Busy) as full:
            journal.issued(uuid4(), "client_credentials", [])
        assert full.value.status == 503
        assert full.value.headers["Retry-After"] == "1"
        explain.refused("r1", InvalidRequest(), "/token")  # does not raise
        assert journal.flush() == 0
        assert explain.look_up("r1") == ()
        journal.issued(uuid4(), "client_credentials", [])


def test_f01_lines_wait_while_postgres_is_away_and_are_written_after(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with entered(acme):
        with monkeypatch.context() as away:

            def fail(_rows: object) -> None:
                raise Busy

            for verb in ("insert_all", "insert_each"):
                away.setattr(activity, verb, fail)
            for number in range(5):
                journal.issued(uuid4(), "client_credentials", [str(number)])
            assert journal.flush() == 5
        assert journal.flush() == 0
        assert {tuple(row.scopes) for row in activity.recent()} == {(str(number),) for number in range(5)}


def test_a_tenant_that_is_gone_does_not_hold_up_another(acme: Tenant) -> None:
    from dataclasses import replace

    with entered(replace(acme, id=uuid4(), slug="gone")):
        journal.issued(uuid4(), "client_credentials", [])
    with entered(acme):
        journal.issued(uuid4(), "client_credentials", ["kept"])
        assert journal.flush() == 0
        assert [row.scopes for row in activity.recent()] == [["kept"]]
