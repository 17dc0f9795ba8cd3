"""The proof's canaries: made alike, removed always, swept after a kill; and what a proof refuses in one sentence."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from redis import Redis

from idp.prove import canaries, database
from idp.prove.promises import NotProved
from idp.prove.target import Canary, Program
from tests.running import PROGRAM, Up, environment, idp, within

pytestmark = pytest.mark.slow
SQL = ("--only", "runtime-role")


def _program(deployment: Up) -> Program:
    return Program([*PROGRAM, "--home", str(deployment.home)], environment())


def _there(deployment: Up) -> list[str]:
    rows = json.loads(idp("tenant", "list", "--json", "--home", str(deployment.home)).stdout)
    return [row["slug"] for row in rows]


@contextmanager
def _proving(deployment: Up) -> Iterator[subprocess.Popen[str]]:
    """A proof that has made its canaries."""
    process = subprocess.Popen(
        [*PROGRAM, "prove", "--home", str(deployment.home), *SQL],
        env=environment(), text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with (
            closing(psycopg2.connect(deployment.env()["owner_database_url"])) as owner,
            owner.cursor() as cursor,
        ):
            cursor.execute("SET ROLE idp_directory")
            cursor.execute("COMMIT")

            def made() -> bool:
                cursor.execute("SET ROLE idp_directory")
                cursor.execute("SELECT count(*) FROM tenants WHERE status = 'active'")
                [(count,)] = cursor.fetchall()
                owner.rollback()
                return count == 2

            assert within(60, made)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def pair(deployment: Up) -> Iterator[tuple[Canary, Canary]]:
    """Two canaries."""
    with canaries.pair(_program(deployment), deployment.env()["redis_admin_url"]) as made:
        yield made
    assert _there(deployment) == []


def test_they_share_every_name_and_no_secret(deployment: Up, pair: tuple[Canary, Canary]) -> None:
    a, b = pair
    assert a.secrets.keys() - {a.slug} == b.secrets.keys() - {b.slug}
    assert a.passwords.keys() == b.passwords.keys()
    every = [*a.secrets.values(), *b.secrets.values(), *a.passwords.values(), *b.passwords.values()]
    assert len(set(every)) == len(every)
    assert (
        a.keys["signer"]["kid"] == b.keys["signer"]["kid"] and a.keys["signer"]["x"] != b.keys["signer"]["x"]
    )
    listed = [
        json.loads(
            idp("client", "list", "--tenant", each.slug, "--json", "--home", str(deployment.home)).stdout
        )
        for each in pair
    ]
    names = [{row["client_id"] for row in each} for each in listed]
    assert names[0] - names[1] == {a.slug} and names[1] - names[0] == {b.slug}


def test_contexts_are_signed_for_canaries_alone(deployment: Up, pair: tuple[Canary, Canary]) -> None:
    with database.asking(deployment.env()["database_url"]) as ask:
        for canary in pair:
            [(tenant,)] = ask(
                "SELECT set_config('app.ctx', %s, true); SELECT ctx.tenant()::text", canary.context
            )
            assert tenant == canary.id
            with pytest.raises(psycopg2.Error) as refused:
                ask("SELECT set_config('app.ctx', %s, true); SELECT ctx.tenant()", canary.expired)
            assert refused.value.pgcode == "IDP01"
    home = str(deployment.home)
    for slug, status in (("acme", "is no canary"), ("canary-none", "no tenant")):
        done = idp("context", "sign", slug, "--home", home)
        assert (done.returncode, done.stdout) == (2, "") and status in done.stderr
    done = idp("context", "sign", pair[0].slug, "--lives", "601", "--home", home)
    assert done.returncode == 2 and "600" in done.stderr


def test_a_killed_proof_is_swept_by_the_next(deployment: Up, tmp_path: Path) -> None:
    with _proving(deployment) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert len(_there(deployment)) == 2
    home, report = str(deployment.home), str(tmp_path / "report.json")
    done = idp("prove", "--home", home, *SQL, "--json", report)
    assert done.returncode == 0, done.stderr
    verdict = json.loads(idp("report", "verify", report, "--home", home, "--json").stdout)
    assert verdict["genuine"] is True and verdict["holds"] is True
    assert _there(deployment) == []
    with Redis.from_url(deployment.env()["redis_admin_url"]) as client:
        assert list(client.scan_iter(match="idp:{*")) == []


def test_a_stopped_proof_removes_its_canaries(deployment: Up) -> None:
    with _proving(deployment) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 2
        words = process.stderr.read()
    assert words.splitlines()[-1] == "idp: The proof was stopped by SIGTERM."
    assert _there(deployment) == []


def test_two_proofs_at_once(deployment: Up) -> None:
    with database.alone(deployment.env()["database_url"]):
        done = idp("prove", "--home", str(deployment.home), *SQL)
    assert done.returncode == 2
    assert (
        done.stderr.splitlines()[-1] == "idp: Another proof runs in this database; wait until it has ended."
    )


def test_what_cannot_be_proved_is_one_sentence(deployment: Up) -> None:
    env = deployment.env()
    for url, sentence in (
        (env["owner_database_url"], "logs in as idp_migrator"),
        ("postgresql://idp_app:wrong@127.0.0.1:1/idp", "Postgres cannot be reached"),
        (env["database_url"].replace("idp_app:", "idp_app:x"), "password authentication failed"),
    ):
        given = {"IDP_DATABASE_URL": url, "IDP_REDIS_URL": env["redis_url"], "IDP_ENV": "development"}
        done = idp("prove", "--home", str(deployment.home), *SQL, **given)
        assert done.returncode == 2, done.stderr
        assert sentence in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_a_half_migrated_schema(deployment: Up) -> None:
    with closing(psycopg2.connect(deployment.env()["owner_database_url"])) as owner, owner.cursor() as cursor:
        cursor.execute("SET ROLE idp_owner")
        cursor.execute("UPDATE alembic_version SET version_num = '0001'")
        owner.commit()
        try:
            done = idp("prove", "--home", str(deployment.home), *SQL)
        finally:
            head = deployment.env()["schema"]
            cursor.execute("SET ROLE idp_owner")
            cursor.execute("UPDATE alembic_version SET version_num = %s", (head,))
            owner.commit()
    assert done.returncode == 2 and "The schema is at 0001" in done.stderr


def test_a_read_only_replica(tmp_path: Any) -> None:
    from idp.embedded.postgres import Postgres, url
    from idp.store import roles

    server = Postgres(tmp_path / "data", password="p", log=tmp_path / "log", durable=False)
    try:
        server.make()
        server.start()
        server.wait()
        roles.create(server.url(database="postgres"), dict.fromkeys(roles.LOGINS, "p"))
        server.stop()
        (tmp_path / "data" / "standby.signal").touch()
        server.start()
        server.wait()
        with pytest.raises(NotProved, match="read-only replica"):
            database.look(url(server.port, "idp_app", "p"), "")
    finally:
        server.stop()
