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

from idp.config import Settings
from idp.control import contexts
from idp.errors import Conflict, Invalid, NotFound
from idp.prove import canaries, run
from idp.prove import database as database_of
from idp.prove.promises import Group, NotProved, Promise, Unexpected
from idp.prove.target import Canary, Program
from idp.prove.wire import Answer
from idp.store import revision
from idp.tenants import Tenant
from tests.running import PROGRAM, Up, environment, idp, within

pytestmark = pytest.mark.slow
SQL = ("--only", "catalogue")


PATIENCE = 300.0
"""Seconds that a proof may take here, however loaded the machine is."""


def _program(deployment: Up) -> Program:
    return Program([*PROGRAM, "--home", str(deployment.home)], environment())


def _there(env: dict[str, str]) -> list[str]:
    """The slugs of every tenant, as the directory's owner sees them."""
    with database_of.asking(env["owner_database_url"]) as ask:
        return [slug for (slug,) in ask("SET ROLE idp_directory; SELECT slug FROM tenants ORDER BY slug")]


@pytest.fixture(scope="module")
def env(deployment: Up) -> dict[str, str]:
    """What `idp env` tells of the deployment, asked once."""
    return deployment.env()


@contextmanager
def _proving(deployment: Up, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A proof that has made its canaries."""
    process = subprocess.Popen(
        [*PROGRAM, "prove", "--home", str(deployment.home), "--only", "runtime-role"],
        env=environment(), text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with (
            closing(psycopg2.connect(env["owner_database_url"])) as owner,
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

            assert within(PATIENCE, made)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def pair(deployment: Up, env: dict[str, str]) -> Iterator[tuple[Canary, Canary]]:
    """Two canaries."""
    with canaries.pair(_program(deployment), env["redis_admin_url"]) as made:
        yield made
    assert _there(env) == []


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


def test_contexts_are_signed_for_canaries_alone(
    deployment: Up, env: dict[str, str], pair: tuple[Canary, Canary]
) -> None:
    with database_of.asking(env["database_url"]) as ask:
        for canary in pair:
            [(tenant,)] = ask(
                "SELECT set_config('app.ctx', %s, true); SELECT ctx.tenant()::text", canary.context
            )
            assert tenant == canary.id
            with pytest.raises(psycopg2.Error) as refused:
                ask("SELECT set_config('app.ctx', %s, true); SELECT ctx.tenant()", canary.expired)
            assert refused.value.pgcode == "IDP01"
    done = idp("context", "sign", "acme", "--home", str(deployment.home))
    assert (done.returncode, done.stdout) == (2, "") and "is no canary" in done.stderr


def test_contexts_of_nobody_and_for_long_are_refused(acme: Tenant, database: Any) -> None:
    for slug, lives, refusal in (
        ("acme", 1, Conflict),
        ("canary-none", 1, NotFound),
        ("canary-a", 601, Invalid),
    ):
        with pytest.raises(refusal):
            contexts.sign(slug, (lives,))


def test_a_killed_proof_is_swept_by_the_next_and_a_broken_promise_is_status_1(
    deployment: Up, env: dict[str, str], tmp_path: Path
) -> None:
    with _proving(deployment, env) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert len(_there(env)) == 2
    home, page = str(deployment.home), tmp_path / "report.html"
    with closing(psycopg2.connect(env["owner_database_url"])) as owner, owner.cursor() as cursor:
        cursor.execute("SET ROLE idp_owner")
        cursor.execute("GRANT SELECT ON users TO PUBLIC")
        owner.commit()
        try:
            done = idp("prove", "--home", home, *SQL, "--json", "--html", str(page), timeout=PATIENCE)
        finally:
            cursor.execute("REVOKE SELECT ON users FROM PUBLIC")
            owner.commit()
    assert done.returncode == 1, done.stderr
    assert _there(env) == []
    with Redis.from_url(env["redis_admin_url"]) as client:
        assert list(client.scan_iter(match="idp:{*")) == []
    report = json.loads(done.stdout)
    assert [each["code"] for each in report["promises"] if not each["kept"]] == ["catalogue.privileges"]
    assert "BROKEN" in done.stderr and "grants on users" in done.stderr
    verdict = json.loads(idp("report", "verify", str(page), "--home", home, "--json").stdout)
    assert (verdict["genuine"], verdict["holds"]) == (True, False)
    page.write_text(page.read_text().replace("One promise is broken", "Every promise holds"))
    assert idp("report", "verify", str(page), "--home", home).returncode == 1
    with database_of.asking(env["database_url"]) as ask:
        assert ask("SELECT holds FROM proofs") == [(False,)]  # of a part, but broken


def test_a_stopped_proof_removes_its_canaries(deployment: Up, env: dict[str, str]) -> None:
    assert _there(env) == []
    with _proving(deployment, env) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 2
        words = process.stderr.read()
    assert words.splitlines()[-1] == "idp: The proof was stopped by SIGTERM."
    assert _there(env) == []


def test_two_proofs_at_once(vault: Settings) -> None:
    url = vault.database_url
    with database_of.alone(url), pytest.raises(NotProved, match="Another proof runs"), database_of.alone(url):
        pass
    with database_of.alone(url):
        pass


def test_what_cannot_be_proved_is_one_sentence(deployment: Up, env: dict[str, str]) -> None:
    given = {
        "IDP_DATABASE_URL": "postgresql://idp_app:secret@127.0.0.1:1/idp",
        "IDP_REDIS_URL": env["redis_url"],
    }
    done = idp("prove", "--home", str(deployment.home), "--json", IDP_ENV="development", **given)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Postgres cannot be reached" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr and "secret" not in done.stderr


def test_what_is_looked_at_first(services: Any, vault: Settings) -> None:
    good, head = vault.database_url, revision.head()
    assert database_of.look(good, head).split(".")[0].isdigit()
    for url, schema, sentence in (
        (services.superuser.url, head, "logs in as postgres"),
        (vault.ops_database_url, head, "logs in as idp_ops"),
        (good.replace("idp_app:", "idp_app:x"), head, "password authentication failed"),
        (good, "9999", "this program needs 9999"),
    ):
        with pytest.raises(NotProved, match=sentence):
            database_of.look(str(url), schema)
    services.superuser("ALTER TABLE alembic_version RENAME TO gone")
    try:
        with pytest.raises(NotProved, match="no schema, or half of one"):
            database_of.look(good, head)
    finally:
        services.superuser("ALTER TABLE gone RENAME TO alembic_version")


def test_a_server_or_a_redis_that_does_not_answer(vault: Settings) -> None:
    with pytest.raises(NotProved, match="does not answer; start the server"):
        run._answers("http://127.0.0.1:1")

    def away(_target: Any, _tally: Any) -> None:
        Redis.from_url("redis://127.0.0.1:1").ping()

    promise = Promise("away", Group.BETWEEN, "…", "…", away)
    with pytest.raises(NotProved, match="away could not be tried to its end"):
        run._tried(promise, None, lambda _line: None)  # type: ignore[arg-type]


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
            database_of.look(url(server.port, "idp_app", "p"), "")
    finally:
        server.stop()


def test_a_name_that_is_in_another_tenants_way_breaks_the_proof_and_is_kept(
    deployment: Up, env: dict[str, str]
) -> None:
    owner = "SET ROLE idp_owner; "
    with closing(psycopg2.connect(env["owner_database_url"])) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        canaries.sweep(_program(deployment), None)
        cursor.execute(f"{owner} CREATE UNIQUE INDEX in_the_way ON users (email_norm)")
        try:
            told = idp("prove", "--home", str(deployment.home), *SQL, timeout=PATIENCE)
        finally:
            cursor.execute("DROP INDEX in_the_way")
    assert told.returncode == 1 and "second of two tenants with the same names was refused" in told.stderr
    last = json.loads(idp("report", "list", "--home", str(deployment.home), "--json").stdout)[0]
    assert last["holds"] is False and last["broken"] == ["runtime_role.twins"]
    assert _there(env) == []


def test_a_report_that_cannot_be_written_is_said_before_the_work(deployment: Up) -> None:
    told = idp(
        "prove", "--home", str(deployment.home), *SQL, "--html", "/nowhere/at/all.html", timeout=PATIENCE
    )
    assert told.returncode == 2 and "cannot be written" in told.stderr and "canary" not in told.stderr


@pytest.mark.parametrize(
    ("status", "kind"), [(429, NotProved), (503, NotProved), (500, Unexpected), (404, Unexpected)]
)
def test_an_outage_is_no_broken_promise(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Answer("http://localhost/token", status, (), b"{}").json()
