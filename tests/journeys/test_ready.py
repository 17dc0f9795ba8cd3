"""`idp ready` against a running deployment: each of four blockers is named with its code and its fix, and mended.

The deployment is broken as production was: policies that nobody could validate, tokens that services refused,
a Redis that forgot and froze, an environment that was not the one in which everything had been tested.
"""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from redis import Redis

from tests.running import Up, idp, up

pytestmark = pytest.mark.slow

GENEROUS = {"IDP_BUDGET": "sign_in=60000,token=60000,jwks=60000"}
"""The machine of the tests is nobody's server."""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A provider with two web processes, its worker, and no tenant."""
    with up(tmp_path_factory.mktemp("home") / "d", "--workers", "2") as running:
        running.wait_ready()
        yield running
        running.end()


@pytest.fixture(scope="module")
def known(deployment: Up) -> dict[str, str]:
    """What `idp env` tells of it."""
    return deployment.env()


def ready(deployment: Up, *arguments: str, **env: str) -> tuple[int, dict[str, Any]]:
    """The exit status of `idp ready`, and its checks by code."""
    done = idp(
        "ready", "--home", str(deployment.home), "--json", *arguments, timeout=180, **{**GENEROUS, **env}
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert told["ready"] is (done.returncode == 0)
    return done.returncode, {check["code"]: check for check in told["checks"]}


def named(deployment: Up, code: str, gate: str, words: str, fix: str, *more: str, **env: str) -> None:
    """The gate is red, and the check says what is broken and what to do."""
    status, checks = ready(deployment, "--gate", gate, *more, **env)
    assert status == 1
    found = checks[code]
    assert found["state"] == "red" and words in found["words"] and fix in found["fix"], found


def green(deployment: Up, code: str, gate: str, *more: str) -> None:
    """The same check is green again, and its gate lets everything go on."""
    status, checks = ready(deployment, "--gate", gate, *more)
    assert status == 0 and checks[code]["state"] == "green", [
        each for each in checks.values() if not each["ok"]
    ]


@contextmanager
def superuser(deployment: Up) -> Iterator[Any]:
    """Postgres' own superuser, on the deployment's database."""
    secrets = json.loads((deployment.home / "keys" / "deployment.json").read_text())["passwords"]
    port = json.loads((deployment.home / "run" / "state.json").read_text())["postgres_port"]
    with closing(psycopg2.connect(
        host="127.0.0.1", port=port, user="postgres", password=secrets["postgres"], dbname="idp"
    )) as connection:  # fmt: skip
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor.execute


@pytest.mark.parametrize(
    ("broken", "mended", "code", "words"),
    [
        ("ALTER TABLE users NO FORCE ROW LEVEL SECURITY", "ALTER TABLE users FORCE ROW LEVEL SECURITY",
         "IDP-SEC-010", "users"),
        ("CREATE POLICY everybody ON users USING (true)", "DROP POLICY everybody ON users",
         "IDP-SEC-012", "users"),
        ("ALTER ROLE idp_app BYPASSRLS", "ALTER ROLE idp_app NOBYPASSRLS", "IDP-SEC-009", "idp_app"),
    ],
)  # fmt: skip
def test_blocker_policies_that_cannot_be_validated(
    deployment: Up, broken: str, mended: str, code: str, words: str
) -> None:
    fixes = {"IDP-SEC-010": "FORCE ROW LEVEL SECURITY", "IDP-SEC-012": "idp prove", "IDP-SEC-009": "idp_app"}
    with superuser(deployment) as run:
        run(broken)
        try:
            named(deployment, code, "security", words, fixes[code])
        finally:
            run(mended)
    green(deployment, code, "security")


def test_blocker_tokens_that_services_refuse(deployment: Up, known: dict[str, str]) -> None:
    """People come by an address that is not the one that the server was given: every service refuses its tokens."""
    other = deployment.base.replace("localhost", "127.0.0.1")
    named(
        deployment, "IDP-INT-003", "integration", "openid-configuration", "IDP_BASE_URL", IDP_BASE_URL=other
    )
    status, checks = ready(deployment, "--accept")
    assert status == 0, [each for each in checks.values() if not each["ok"]]
    assert {each["gate"] for each in checks.values()} == {
        "infrastructure",
        "security",
        "integration",
        "performance",
    }
    assert all(checks[f"IDP-INT-{number:03}"]["state"] == "green" for number in range(1, 12))
    assert "head-room" in checks["IDP-PRF-001"]["words"]
    _shown(known)
    _nothing_is_left(deployment)


def _shown(known: dict[str, str]) -> None:
    """The listener shows what the heavy gates gave, and no secret."""
    with urllib.request.urlopen(f"{known['management_url']}/readyz", timeout=10) as answer:
        text = answer.read().decode()
    last = json.loads(text)["deployment"]["last"]
    assert (
        last["integration"]["green"] is True and last["performance.accepted"]["figures"]["token"]["p50"] > 0
    )
    assert {"IDP-INT-006"} <= {check["code"] for check in last["integration"]["checks"]}
    for name in ("database_url", "redis_url"):
        assert known[name].partition("@")[0].rpartition(":")[2] not in text


def _nothing_is_left(deployment: Up) -> None:
    listed = idp("tenant", "list", "--home", str(deployment.home), "--json")
    assert json.loads(listed.stdout) == []


def test_blocker_a_redis_that_forgets(deployment: Up, known: dict[str, str]) -> None:
    with Redis.from_url(known["redis_admin_url"]) as admin:
        before = admin.config_get("maxmemory*")
        admin.config_set("maxmemory-policy", "allkeys-lru")
        try:
            named(deployment, "IDP-INF-013", "infrastructure", "allkeys-lru", "noeviction")
            _said_in_words(deployment)
            admin.config_set("maxmemory-policy", "noeviction")
            admin.config_set("maxmemory", admin.info("memory")["used_memory"] + 2**16)
            named(deployment, "IDP-INF-014", "infrastructure", "Redis uses", "maxmemory")
        finally:
            admin.config_set("maxmemory-policy", "noeviction")
            admin.config_set("maxmemory", before["maxmemory"])
    green(deployment, "IDP-INF-014", "infrastructure")


def _said_in_words(deployment: Up) -> None:
    """The terminal has the code, the reason and the fix of what is red, and a line that sums up."""
    done = idp("ready", "--home", str(deployment.home), "--gate", "infrastructure", COLUMNS="160")
    assert done.returncode == 1 and done.stdout == ""
    red = [line for line in done.stderr.splitlines() if "✗" in line]
    assert len(red) == 1 and red[0].split()[-1] == "IDP-INF-013"
    assert (
        "maxmemory-policy is allkeys-lru." in done.stderr
        and "→ Set maxmemory-policy to noeviction" in done.stderr
    )
    assert done.stderr.rstrip().splitlines()[-1].startswith("Not ready: ")


def test_blocker_a_redis_that_freezes(deployment: Up) -> None:
    server = next(each for each in deployment.family() if each.name() in ("valkey-server", "redis-server"))
    os.kill(server.pid, signal.SIGSTOP)
    try:
        named(deployment, "IDP-INF-010", "infrastructure", "does not answer", "IDP_REDIS_URL")
        assert deployment.status("/readyz") == 200
    finally:
        os.kill(server.pid, signal.SIGCONT)
    green(deployment, "IDP-INF-010", "infrastructure")


def test_blocker_an_environment_that_is_not_the_one_it_was_tested_in(deployment: Up, tmp_path: Path) -> None:
    there = tmp_path / "tested.json"
    assert idp("align", "--export", str(there), "--home", str(deployment.home)).returncode == 0
    with superuser(deployment) as run:
        run("ALTER DATABASE idp SET default_transaction_isolation = 'serializable'")
        try:
            named(
                deployment,
                "IDP-INF-021",
                "infrastructure",
                "serializable",
                "idp align",
                "--against",
                str(there),
            )
        finally:
            run("ALTER DATABASE idp RESET default_transaction_isolation")
    green(deployment, "IDP-INF-021", "infrastructure", "--against", str(there))


def test_what_cannot_be_looked_at_is_one_sentence_and_status_2(deployment: Up, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.json"
    nothing.write_text("[]")
    for arguments, words in (
        (["--home", str(tmp_path / "nowhere")], "There is no deployment"),
        (["--home", str(deployment.home), "--gate", "security", "--accept"], "performance"),
        (["--home", str(deployment.home), "--against", str(nothing)], "fingerprint"),
    ):
        done = idp("ready", *arguments)
        assert done.returncode == 2 and words in done.stderr.splitlines()[-1], done.stderr
