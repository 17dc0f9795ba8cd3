"""`idp up` as people and scripts use it: real processes, real signals, data that stays."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest

from idp.embedded import settled
from idp.embedded.deployment import Deployment
from idp.embedded.folder import Folder
from idp.store import revision
from tests.running import GRACE, Up, gone, idp, up, within

NAMES = {
    "version",
    "schema",
    "base_url",
    "management_url",
    "home",
    "database_url",
    "owner_database_url",
    "redis_url",
    "redis_admin_url",
}


def mark(env: dict[str, str]) -> None:
    with (
        closing(psycopg2.connect(env["owner_database_url"])) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET ROLE idp_owner; CREATE SCHEMA kept")


def marked(env: dict[str, str]) -> bool:
    with closing(psycopg2.connect(env["owner_database_url"])) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'kept'")
        return cursor.fetchone() is not None


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A deployment that was started, marked and stopped; tests work on copies of it."""
    home = tmp_path_factory.mktemp("made") / "home"
    with up(home) as first:
        first.wait_ready()
        assert first.lines[-1] == f"ready http://localhost:{first.port}"
        assert first.status("/livez") == first.status("/readyz") == 200
        family, env = first.family(), first.env()
        mark(env)
        began = time.monotonic()
        assert first.end() == 0
        assert time.monotonic() - began < GRACE
        assert gone(family, 1.0)
    assert set(env) == NAMES
    assert env["management_url"].startswith("http://127.0.0.1:")
    return home


@pytest.fixture
def home(made, tmp_path) -> Path:
    copy = tmp_path / "home"
    shutil.copytree(made, copy)
    os.chmod(copy, 0o700)
    return copy


def test_first_start_makes_private_folders_and_keeps_secrets_in_keys(made):
    modes = {path.relative_to(made).as_posix(): path.stat().st_mode & 0o777 for path in made.iterdir()}
    assert modes == dict.fromkeys(("keys", "log", "postgres", "redis", "run"), 448)
    secrets = json.loads((made / "keys" / "deployment.json").read_text())["passwords"].values()
    outside = [path for path in made.rglob("*") if path.is_file() and made / "keys" not in path.parents]
    assert not [path for path in outside if any(secret.encode() in path.read_bytes() for secret in secrets)]
    assert (made / "keys" / "deployment.json").stat().st_mode & 0o777 == 0o600


def test_kill_leaves_nothing_running_and_loses_nothing_and_ctrl_c_waits_for_no_idle_connection(home):
    with up(home) as killed:
        killed.wait_ready()
        family = killed.family()
        assert {"postgres", "valkey-server"} <= {each.name() for each in family}
        killed.process.kill()
        killed.process.wait()
        assert gone(family)
        (home / "postgres" / "postmaster.pid").write_text(
            f"{os.getpid()}\n{home}\n"
        )  # a pid that is used again
        with up(home, port=killed.port) as again:
            again.wait_ready()
            assert marked(again.env())
            family = again.family()
            with closing(http.client.HTTPConnection("127.0.0.1", again.port, timeout=5)) as idle:
                idle.request("GET", "/livez")
                idle.getresponse().read()
                began = time.monotonic()
                assert again.end(signal.SIGINT) == 0
            assert time.monotonic() - began < GRACE
            assert gone(family, 1.0)


def test_what_crashes_is_started_again_and_a_second_up_is_refused(home):
    """Run by an ordinary user: root becomes one in a namespace, where that is possible."""
    ordinary = ("unshare", "--user", "--map-user=1", "--map-group=1") if os.geteuid() == 0 else ()
    if ordinary and subprocess.run([*ordinary, "true"], check=False).returncode != 0:
        ordinary = ()
    with up(home, wrapped=ordinary) as running:
        running.wait_ready()
        second = idp("up", "--home", str(home), "--no-demo")
        assert second.returncode == 2
        assert f"already runs in {home}" in second.stderr
        assert second.stderr.count("\n") == 1
        crashed = {each.name(): each for each in running.family() if each.ppid() == running.process.pid}
        for name in ("postgres", "valkey-server"):
            crashed[name].kill()
        assert within(20, lambda: connects(running))
        assert running.end() == 0


def connects(running: Up) -> bool:
    try:
        return marked(running.env()) and running.status("/readyz") == 200
    except (psycopg2.OperationalError, OSError):
        return False


def test_a_start_that_finds_everything_made_loads_nothing_that_makes_it(home):
    with up(home) as second:
        second.wait_ready()
        loaded = {each.path for each in psutil.Process(second.process.pid).memory_maps()}
        assert any("psycopg2" in path for path in loaded)
        assert not any("sqlalchemy" in path for path in loaded)
        deployment = Deployment(Folder(home, home / "keys"))
        settings, state = deployment.settings(), deployment.folder.state()
        assert state["made"] == settled.mark(settings) and settled.at_head(settings)
        with closing(psycopg2.connect(second.env()["owner_database_url"])) as owner, owner.cursor() as cursor:
            cursor.execute("SET ROLE idp_owner; UPDATE alembic_version SET version_num = '0000'")
            owner.commit()
            assert not settled.at_head(settings)
            cursor.execute(
                "SET ROLE idp_owner; UPDATE alembic_version SET version_num = %s", (revision.head(),)
            )
            owner.commit()
        (home / "keys" / "more").write_text("")
        assert state["made"] != settled.mark(settings)
        assert second.end() == 0


def test_orphans_of_a_run_that_could_not_take_its_children_along_are_stopped(home):
    """Where there is no parent-death signal, servers outlive a killed `idp up`."""
    from idp.embedded.deployment import find

    servers = find(home).services()
    try:
        servers.start({})
        orphans = [psutil.Process(servers.postgres.child.pid), psutil.Process(servers.redis.child.pid)]
        command = idp("migrate", "--json", "--home", str(home))
        assert command.returncode == 0, command.stderr
        assert gone(orphans, 1.0)
    finally:
        servers.stop()


def test_a_command_finds_a_stopped_deployment_and_stops_it_again(home, tmp_path):
    done = idp("migrate", "--json", cwd=tmp_path, IDP_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"before", "after"}
    assert not within(0.2, lambda: (home / "postgres" / "postmaster.pid").exists())


def test_servers_that_others_run_are_used_and_found_again(services, tmp_path):
    theirs = services.settings
    given = {
        "IDP_ENV": "development",
        "IDP_KEYS": str(theirs.keys),
        "IDP_DATABASE_URL": theirs.database_url,
        "IDP_MIGRATOR_DATABASE_URL": theirs.migrator_database_url,
        "IDP_REDIS_URL": theirs.redis_url,
    }
    with up(tmp_path / "home", **given) as running:
        running.wait_ready()
        assert not {"postgres", "valkey-server"} & {each.name() for each in running.family()}
        where = {"IDP_HOME": str(running.home), "IDP_KEYS": given["IDP_KEYS"]}
        found = json.loads(idp("env", "--json", "--show-secrets", cwd=tmp_path, **where).stdout)
        assert found["database_url"] == theirs.database_url
        assert found["redis_admin_url"] is None
        assert running.end() == 0
    assert not (tmp_path / "home" / "postgres").exists()


def test_env_hides_passwords_unless_asked_and_works_while_stopped(home, tmp_path):
    shown = json.loads(idp("env", "--json", cwd=tmp_path, IDP_HOME=str(home)).stdout)
    secret = json.loads(idp("env", "--json", "--show-secrets", cwd=tmp_path, IDP_HOME=str(home)).stdout)
    assert set(shown) == set(secret) == NAMES
    assert secret["owner_database_url"].startswith("postgresql://idp_migrator:")
    assert ":…@" in shown["database_url"]
    assert shown["management_url"] is None
    assert ":…@" not in secret["database_url"]


@pytest.mark.parametrize("after", [0.2, 2.0])
def test_told_to_stop_while_it_starts_it_leaves_nothing_running(tmp_path, after):
    """From the first process that it starts; before that a signal ends it like any program."""
    with up(tmp_path / "home") as starting:
        assert within(30, lambda: bool(starting.family()))
        time.sleep(after)
        family = starting.family()
        assert starting.end() == 0
        assert gone(family, 1.0)


@pytest.mark.parametrize("lost", ["deployment.json", "kek.json"])
def test_data_without_its_keys_does_not_start(home, lost):
    (home / "keys" / lost).unlink()
    with up(home) as running:
        assert running.process.wait(30) == 2
        assert "keys" in running.process.stderr.read()
    assert not (home / "keys" / lost).exists()


def test_taken_port_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = idp("up", "--home", str(tmp_path / "home"), "--port", str(port), "--no-demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"idp: Port {port} is taken by another program: choose another one with --port.\n"


def test_unwritable_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    done = idp("up", "--home", str(tmp_path / "file" / "home"), "--no-demo")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot be written" in done.stderr


SILENT = "postgresql://idp_app:hidden-word@127.0.0.1:1/idp"
NO_REDIS = "redis://idp_app:hidden-word@127.0.0.1:1/0"
DEVELOPMENT = {"IDP_ENV": "development"}


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        ((), {"IDP_ENV": "production"}, "IDP_ENV is production, and a Postgres and Redis of idp up's own is for devel"),
        ((), {"IDP_DATABASE_URL": SILENT}, "IDP_DATABASE_URL names a server of others, so this is production, and a "
         "Redis of idp up's own is for development alone: give IDP_REDIS_URL too, or set IDP_ENV=development."),
        ((), {"IDP_REDIS_URL": NO_REDIS}, "IDP_REDIS_URL names a server of others, so this is production"),
        ((), {"IDP_DATABASE_URL": SILENT, "IDP_REDIS_URL": NO_REDIS}, "where IDP_BASE_URL must be https"),
        (("--demo",), {"IDP_DATABASE_URL": SILENT, "IDP_REDIS_URL": NO_REDIS}, "--demo needs IDP_ENV=development"),
        (("--demo",), {"IDP_BASE_URL": "https://id.example.com"}, "--demo needs a base URL on this machine's loopback"),
        ((), {"IDP_DATABASE_URL": SILENT, **DEVELOPMENT}, "IDP_DATABASE_URL: leads to 127.0.0.1:1, where no Postgres"),
        ((), {"IDP_REDIS_URL": NO_REDIS, **DEVELOPMENT}, "IDP_REDIS_URL: leads to 127.0.0.1:1, where no Redis answers"),
        ((), {"IDP_REDIS_URL": "redis://h:port", **DEVELOPMENT}, "IDP_REDIS_URL: cannot be read"),
    ],
)  # fmt: skip
def test_up_refuses_in_one_sentence_before_anything_is_made(tmp_path, arguments, given, words):
    began = time.monotonic()
    done = idp("up", "--home", str(tmp_path / "home"), *arguments, **given)
    assert time.monotonic() - began < 8
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr
    assert done.stderr.count("idp: ") == 1
    assert "hidden-word" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_redis_that_is_frozen_or_closed_is_one_sentence(services, tmp_path):
    given = {"IDP_REDIS_URL": services.settings.redis_url, **DEVELOPMENT}
    child = psutil.Process(services.redis.child.pid)
    child.suspend()
    try:
        frozen = idp("up", "--home", str(tmp_path / "home"), **given)
    finally:
        child.resume()
    assert (frozen.returncode, frozen.stderr.count("\n"), "no Redis answers" in frozen.stderr) == (2, 1, True)
    wrong = given["IDP_REDIS_URL"].replace(":", ":wrong", 2).replace("redis:wrong", "redis:", 1)
    closed = idp("up", "--home", str(tmp_path / "home"), **{**given, "IDP_REDIS_URL": wrong})
    assert (closed.returncode, "its login is wrong" in closed.stderr) == (2, True), closed.stderr


def test_one_server_of_others_replaces_its_own_alone(services, tmp_path):
    given = {"IDP_REDIS_URL": services.settings.redis_url, **DEVELOPMENT}
    with up(tmp_path / "home", **given) as running:
        running.wait_ready()
        names = {each.name() for each in running.family()}
        assert "postgres" in names
        assert "valkey-server" not in names
        assert running.end() == 0


def test_the_reason_of_a_program_is_its_own_sentence(tmp_path):
    from idp.embedded.folder import Folder
    from idp.embedded.supervise import Supervisor

    folder = Folder(tmp_path / "home", tmp_path / "home" / "keys")
    folder.make()
    supervisor = Supervisor(folder)
    log = supervisor.log("serve")
    log.write_text('idp: IDP_BASE_URL: must be https.\n{"event":"warning"}\n')
    assert supervisor.last_words("serve") == f"IDP_BASE_URL: must be https ({log})."
    log.write_text('{"event":"warning"}\n')
    assert supervisor.last_words("serve") == f"it gave no reason ({log})."


def test_migrate_needs_no_redis(services, tmp_path):
    theirs = services.settings
    done = idp(
        "migrate", "--json", "--home", str(tmp_path / "home"), IDP_KEYS=str(theirs.keys),
        IDP_DATABASE_URL=theirs.database_url, IDP_MIGRATOR_DATABASE_URL=theirs.migrator_database_url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["before"] == json.loads(done.stdout)["after"]
    assert not (tmp_path / "home").exists()


def test_unknown_deployment_is_one_sentence(tmp_path):
    done = idp("migrate", "--home", str(tmp_path / "nothing"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "idp up" in done.stderr
    assert not (tmp_path / "nothing").exists()
