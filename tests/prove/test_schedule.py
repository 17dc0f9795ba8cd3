"""The worker proves on its schedule, as a process of its own; the result is a metric and an event of each tenant."""

import sys
from typing import Any

import pytest

from idp.cli import proving
from idp.cli.worker import _prover
from idp.config import ConfigError, Settings
from idp.control import proofs, record
from idp.errors import Busy
from idp.jobs import prover
from idp.jobs.prover import Prover
from idp.jobs.worker import Worker
from idp.prove.database import asking as database_of
from idp.tenants import Tenant, entered
from idp.web import metrics_view
from tests.prove.test_reports import REPORT
from tests.running import Up, idp, within


def _python(words: str) -> list[str]:
    return [sys.executable, "-c", words]


def _look_until_ended(one: Prover) -> None:
    def ended() -> bool:
        one.look()
        return one._child is None

    assert within(30, ended)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the prover tells: names of events, and their words."""
    told: list[tuple[str, str]] = []

    class Log:
        def info(self, event: str, **facts: Any) -> None:
            told.append((event, str(facts.get("words", ""))))

        error = info

    monkeypatch.setattr(prover, "log", lambda _name: Log())
    return told


def test_it_is_started_when_it_is_due_and_told_when_it_has_ended(
    database: Any, logged: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    database("DELETE FROM proofs")
    monkeypatch.setattr(prover, "LOOK", 3600.0)
    for status, event in ((0, "proof.holds"), (1, "proof.broken"), (2, "proof.not_made")):
        one = Prover(
            3600, _python(f"import sys; sys.stderr.write('one\\nlast words'); sys.exit({status})"), {}
        )
        one.look()
        assert one._child is not None
        _look_until_ended(one)
        assert logged == [("proof.begins", ""), (event, "last words")]
        one.look()
        assert one._child is None  # not again at once
        logged.clear()
        one.stop()
    proofs.keep(proofs.signed(REPORT))
    one = Prover(3600, _python(""), {})
    one.look()
    assert one._child is None
    database("DELETE FROM proofs")


def test_it_is_ended_with_the_worker(database: Any, logged: list[tuple[str, str]]) -> None:
    database("DELETE FROM proofs")
    one = Prover(60, _python("import time; time.sleep(600)"), {})
    one.look()
    child = one._child
    one.stop()
    assert child is not None and child.returncode is not None and one._child is None


def test_a_worker_looks_each_round(vault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    worker = Worker(period=0, beside=lambda: seen.append(1) or (worker.stop() if len(seen) == 2 else None))
    worker.run()
    assert len(seen) == 2


def test_each_tenant_is_told_of_a_proof_once(twins: tuple[Tenant, Tenant], database: Any) -> None:
    database("DELETE FROM proofs")
    with entered(twins[0]):
        assert proofs.note() is False
        for holds, event in ((True, "isolation.proved"), (False, "isolation.broken")):
            proofs.keep(proofs.signed({**REPORT, "holds": holds}))
            assert proofs.note() is True
            assert proofs.note() is False
            [row] = record.events("acme", event)
            assert row["facts"]["broken"] == ["two"] and row["facts"]["proof"]
    database("DELETE FROM proofs")


def test_the_figures_are_a_metric(database: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    database("DELETE FROM proofs")
    assert proofs.figures() == {}
    proofs.keep(proofs.signed(REPORT))
    shown = metrics_view.exposition(tmp_path, proofs.figures()).decode()
    assert "idp_proof_holds 0.0" in shown and "idp_proof_age_seconds " in shown

    def away() -> None:
        raise Busy

    monkeypatch.setattr(proofs, "last", away)
    assert proofs.figures() == {}
    database("DELETE FROM proofs")


def test_settings_of_the_schedule(settings: Settings) -> None:
    assert Settings.load({"IDP_PROVE_EVERY": "86400"}).prove_every == 86_400
    for wrong in ("daily", "-1", "1.5", "²", "9999999999"):
        with pytest.raises(ConfigError, match="IDP_PROVE_EVERY"):
            Settings.load({"IDP_PROVE_EVERY": wrong})
    program = proving.scheduled(settings, embedded=False)
    assert program.environment["IDP_OPS_DATABASE_URL"] == settings.ops_database_url
    assert "IDP_OPS_DATABASE_URL" not in proving.scheduled(settings, embedded=True).environment
    assert _prover(settings) is None


def test_the_worker_of_embedded_servers_finds_them_by_their_folder(deployment: Up, vault: Settings) -> None:
    theirs = vault.with_(home=deployment.home, keys=deployment.home / "keys")
    found = proving.scheduled(theirs, embedded=True).json("env", "--show-secrets")
    assert found["base_url"] == deployment.base
    with database_of(found["database_url"]) as ask:
        assert ask("SELECT current_user") == [("idp_app",)]


def test_a_worker_that_could_make_no_canaries_does_not_start(vault: Settings, tmp_path: Any) -> None:
    given = {"IDP_HOME": str(tmp_path), "IDP_KEYS": str(vault.keys), "IDP_DATABASE_URL": vault.database_url,
             "IDP_REDIS_URL": vault.redis_url, "IDP_ENV": "development", "IDP_PROVE_EVERY": "60"}  # fmt: skip
    done = idp("worker", cwd=tmp_path, **given)
    assert done.returncode == 2 and "IDP_OPS_DATABASE_URL" in done.stderr
