"""A tenant's keys replaced while tokens are about, by an operator, by the worker, and in an emergency."""

import datetime as dt
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click.testing
import jwt as pyjwt
import pytest

from idp import cli, directory, seals
from idp.cli import session
from idp.control import keys as verbs
from idp.control import tenants
from idp.jobs.worker import Worker, once
from idp.signing import cache, keys
from idp.store.durable import audit_log, signing_keys
from idp.tenants import Tenant, entered
from tests.playing import relying_party


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    cache.forget()
    yield
    cache.forget()


def kid(token: str) -> str:
    return str(pyjwt.get_unverified_header(token)["kid"])


def shown(app: Any, slug: str) -> set[str]:
    """The kids that the tenant's JWKS shows to everyone."""
    answer = app.test_client().get(f"/t/{slug}/jwks.json")
    assert answer.status_code == 200
    return {key["kid"] for key in answer.get_json()["keys"]}


def machine(app: Any, tenant: Tenant) -> str:
    """An access token by client credentials."""
    rp = relying_party(app, tenant, "nightly")
    answer = rp.post("token", {"grant_type": "client_credentials", "scope": "orders.read"})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return str(answer.get_json()["access_token"])


def within(seconds: float, condition: Any) -> None:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds
        time.sleep(0.02)


def heard(tenant: Tenant) -> None:
    """What the directory's thread does twice a second."""
    directory.poll()
    assert directory.by_id(tenant.id) is not None


def test_rotating_shows_the_new_key_within_a_second_and_old_tokens_go_on(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    tokens = rp.sign_in()
    before = shown(app, "acme")
    rows = verbs.rotate("acme", now=True)
    fresh = {row["kid"] for row in rows} - before
    assert fresh
    within(1, lambda: fresh <= shown(app, "acme"))
    refreshed = rp.refresh(tokens["refresh_token"]).get_json()
    assert kid(refreshed["access_token"]) != kid(tokens["access_token"])
    assert kid(refreshed["id_token"]) != kid(tokens["id_token"])
    for token in (tokens["access_token"], refreshed["access_token"]):
        assert rp.userinfo(token).status_code == 200
        assert rp.verified(token, acme.issuer)["tenant"] == "acme"


def test_rotating_acme_changes_nothing_at_globex(app: Any, twins: tuple[Tenant, Tenant]) -> None:
    _, globex = twins
    before, token = shown(app, "globex"), machine(app, globex)
    verbs.rotate("acme", now=True)
    directory.poll()
    assert shown(app, "globex") == before
    assert kid(machine(app, globex)) == kid(token)


def test_f19_a_key_through_its_whole_life(app: Any, acme: Tenant, frozen: Any) -> None:
    """Made, public, signing, retiring, gone: the very same token seen by the very same checks."""
    with frozen() as clock:
        heard(acme)
        (coming,) = [row for row in verbs.listing("acme") if (row["alg"], row["state"]) == ("RS256", "next")]
        assert coming["kid"] in shown(app, "acme")
        begins = dt.datetime.fromisoformat(str(coming["activate_at"]))
        clock.move_to(begins - dt.timedelta(seconds=2))
        heard(acme)
        old = machine(app, acme)
        assert kid(old) != coming["kid"]
        clock.tick(3)
        heard(acme)
        assert kid(machine(app, acme)) == coming["kid"]
        assert {kid(old), coming["kid"]} <= shown(app, "acme")
        once()
        heard(acme)
        after = {row["kid"]: row for row in verbs.listing("acme")}
        assert after[kid(old)]["state"] == "retiring"
        assert [row["state"] for row in after.values() if row["alg"] == "RS256"].count("next") == 1
        clock.tick(keys.LONGEST_TOKEN.total_seconds() + 61)
        heard(acme)
        assert kid(old) not in shown(app, "acme")
        once()
        with entered(acme):
            (row,) = [row for row in signing_keys.all_keys() if row.kid == kid(old)]
            assert row.sealed == b""


def test_f19_an_operators_rotation_waits_until_everyone_can_know_the_key(
    app: Any, acme: Tenant, frozen: Any
) -> None:
    with frozen() as clock:
        heard(acme)
        verbs.rotate("acme", "RS256", now=True)
        heard(acme)
        rows = verbs.rotate("acme", "RS256")
        young = [row for row in rows if row["alg"] == "RS256" and row["state"] == "next"]
        begins = min(dt.datetime.fromisoformat(str(row["activate_at"])) for row in young)
        published = dt.datetime.fromisoformat(str(young[0]["publish_at"]))
        assert begins - published >= keys.JWKS_MAX_AGE - dt.timedelta(seconds=1)
        heard(acme)
        first = kid(machine(app, acme))
        clock.move_to(begins - dt.timedelta(seconds=1))
        heard(acme)
        assert kid(machine(app, acme)) == first
        clock.tick(2)
        heard(acme)
        assert kid(machine(app, acme)) == young[0]["kid"]


def test_f19_tk24_a_revoked_key_is_nobodys_within_five_seconds(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    tokens = rp.sign_in()
    bad = kid(tokens["access_token"])
    verbs.revoke("acme", bad)
    within(5, lambda: bad not in shown(app, "acme"))
    within(5, lambda: rp.userinfo(tokens["access_token"]).status_code == 401)
    fresh = rp.refresh(tokens["refresh_token"]).get_json()
    assert kid(fresh["access_token"]) != bad
    assert rp.userinfo(fresh["access_token"]).status_code == 200
    with entered(acme):
        assert audit_log.recent(event="key.revoked")[0].facts["kid"] == bad


def test_the_worker_makes_the_key_that_a_policy_first_names(app: Any, acme: Tenant) -> None:
    tenants.update("acme", {"policy": {"access_token_signing_alg": "PS256"}})
    directory.poll()
    Worker().round()
    with entered(acme):
        states = {row.alg for row in signing_keys.all_keys()}
    assert "PS256" in states
    directory.poll()
    token = machine(app, acme)
    assert pyjwt.get_unverified_header(token)["alg"] == "PS256"
    assert relying_party(app, acme).verified(token, "https://api.example.com")


def test_one_round_of_the_worker_seals_what_happened_and_leaves_nothing_due(acme: Tenant) -> None:
    from idp import upkeep

    with entered(acme):
        assert seals.verify().unsealed > 0
    directory.poll()
    once()  # the keys that it looks after may leave rows of their own
    once()
    with entered(acme):
        verdict = seals.verify()
    assert (verdict.unsealed, verdict.whole) == (0, True)
    assert acme.id not in set(upkeep.due())


def test_a_job_that_fails_holds_up_neither_the_others_nor_the_next_tenant(
    twins: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    from idp import outbox
    from idp.jobs import worker
    from idp.tenants import current

    def broken() -> None:
        if current().slug == "acme":
            raise RuntimeError("odd")
        outbox.deliver()

    monkeypatch.setattr(worker, "EACH_TIME", (("outbox", broken), ("seal", seals.seal)))
    directory.poll()
    once()
    once()
    for tenant in twins:
        with entered(tenant):
            assert seals.verify().unsealed == 0


def test_a_worker_stops_when_told(acme: Tenant) -> None:
    import threading

    worker = Worker(period=30)
    thread = threading.Thread(target=worker.run)
    thread.start()
    time.sleep(0.1)
    worker.stop()
    thread.join(5)
    assert not thread.is_alive()


@pytest.fixture
def idp(vault: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line, in this process and on this deployment."""

    @contextmanager
    def here() -> Iterator[Any]:
        yield vault

    monkeypatch.setattr(session, "deployment", here)

    def run(*words: str) -> tuple[int, str]:
        result = click.testing.CliRunner().invoke(cli.idp, list(words), catch_exceptions=False)
        return result.exit_code, result.stdout

    return run


def test_the_commands_print_times_and_json(idp: Any, acme: Tenant) -> None:
    status, words = idp("keys", "list", "--tenant", "acme")
    assert (status, words) == (0, "")  # the table is words, and words go to standard error
    status, words = idp("keys", "rotate", "--tenant", "acme", "--alg", "ES256", "--json")
    assert status == 0
    rows = json.loads(words)
    assert {"active", "next"} <= {row["state"] for row in rows}
    assert all(set(row) >= {"kid", "alg", "state", "activate_at", "retire_at", "gone_at"} for row in rows)
    victim = next(row["kid"] for row in rows if row["state"] == "active")
    status, words = idp("keys", "revoke", "--tenant", "acme", victim, "--json")
    assert status == 0
    assert {row["kid"]: row["state"] for row in json.loads(words)}[victim] == "revoked"
    status, words = idp("audit", "verify", "--tenant", "acme", "--json")
    assert (status, json.loads(words)["whole"]) == (0, True)
    status, words = idp("audit", "list", "--tenant", "acme", "--event", "key.revoked", "--json")
    assert json.loads(words)[0]["facts"]["kid"] == victim
    status, _ = idp("explain", "no-such-request")
    assert status == 1


def test_a_key_is_added_to_the_ring_under_running_processes_and_the_old_one_dropped(
    idp: Any, app: Any, acme: Tenant, vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from idp.signing import ring

    former = ring.load(vault)
    try:
        token = machine(app, acme)
        status, words = idp("keys", "ring", "add", "--json")
        assert status == 0
        added = json.loads(words)
        assert added["resealed"] >= 8
        # A process that has not been restarted still holds the old ring, and takes the new one up when it must.
        ring.use(former)
        monkeypatch.setattr(ring._Process, "looked", float("-inf"))
        cache.forget()
        directory.poll()
        assert relying_party(app, acme).userinfo(token).status_code in (200, 401, 403)
        assert kid(machine(app, acme)) == kid(token)
        status, words = idp("keys", "ring", "list", "--json")
        rows = {row["id"]: row for row in json.loads(words)}
        assert rows[added["id"]]["newest"]
        assert rows[former.newest.id]["seals"] == 0
        assert idp("keys", "ring", "drop", former.newest.id)[0] == 0
        assert [key.id for key in ring.load(vault).keys] == [added["id"]]
    finally:
        # The deployment of this worker goes on with the ring that its other tests know.
        from idp.control import schema

        ring.save(ring.driver(vault), former)
        ring.use(former)
        schema.upgrade(vault, former)
        cache.forget()
