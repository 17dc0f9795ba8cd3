"""The compose file's own commands and environments, run as processes on one machine without an engine.

Postgres and Valkey are the embedded binaries, started by the scripts of deploy/ where there is one; pgbouncer
is Debian's. Host names of the compose network become ports of the loopback interface, nothing else changes.
"""

import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from idp.embedded import binaries, postgres

TOP = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((TOP / "docker-compose.yml").read_text())["services"]
BIN = Path(sys.executable).parent
PGBOUNCER = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
HOST = "id.example.com"
BLUEPRINT = """
tenants:
  - slug: acme
    name: Acme
    clients:
      - {client_id: nightly, client_secret: {env: NIGHTLY}, grant_types: [client_credentials], scope: reports}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed here"),
]


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Host:
    """One host on which the compose file's services run as processes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        made = subprocess.run(
            ["sh", "deploy/secrets.sh"], cwd=TOP, capture_output=True, text=True, check=True
        )
        self.secrets = dict(line.split("=", 1) for line in made.stdout.splitlines())
        self.ports = {name: free() for name in ("postgres", "pgbouncer", "valkey", "web", "management")}
        self.running: list[subprocess.Popen[bytes]] = []
        self.postgres = postgres.Postgres(
            home / "postgres",
            password=self.secrets["POSTGRES_PASSWORD"],
            log=home / "postgres.log",
            durable=False,
        )

    def here(self, text: str) -> str:
        """A line of the compose file or of deploy/ with addresses and folders of this host."""
        for name, port in (("postgres", 5432), ("pgbouncer", 6432), ("valkey", 6379)):
            text = text.replace(f"{name}:{port}", f"127.0.0.1:{self.ports[name]}")
        text = text.replace("0.0.0.0:8000", f"127.0.0.1:{self.ports['web']}")
        return text.replace("0.0.0.0:9000", f"127.0.0.1:{self.ports['management']}")

    def environment(self, service: str) -> dict[str, str]:
        given = {"PATH": os.environ["PATH"]}
        for name, value in SERVICES[service].get("environment", {}).items():
            filled = re.sub(
                r"\$\{(\w+)-([^}]*)\}", lambda found: self.secrets.get(found[1], found[2]), str(value)
            )
            given[name] = self.here(filled).replace("172.31.251.0/24", "127.0.0.0/8")
        return {**given, "IDP_KEYS": str(self.home / "keys")} if "IDP_KEYS" in given else given

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.home / f"{name}.log").open("wb") as log:
            self.running.append(
                subprocess.Popen(
                    command, cwd=self.home, env=environment, stdout=log, stderr=subprocess.STDOUT
                )
            )

    def script(self, service: str, changes: dict[str, str]) -> None:
        """Run deploy/SERVICE/start.sh with `changes` made to its text."""
        text = (TOP / "deploy" / service / "start.sh").read_text()
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        (self.home / f"{service}.sh").write_text(text)
        self.start(service, ["sh", f"{service}.sh"], self.environment(service))

    def service(self, name: str, environment: dict[str, str] | None = None) -> None:
        command = [self.here(word) for word in SERVICES[name]["command"]]
        self.start(name, [str(BIN / command[0]), *command[1:]], environment or self.environment(name))

    def idp(self, service: str, *arguments: str, **more: str) -> str:
        """Run one command with a service's environment to its end; what it printed."""
        done = subprocess.run(
            [BIN / "idp", *arguments], cwd=self.home, env={**self.environment(service), **more},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, path: str, port: str = "web", **headers: str) -> tuple[int, bytes]:
        forwarded = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-Host": HOST}
        return fetch(
            urllib.request.Request(f"http://127.0.0.1:{self.ports[port]}{path}", None, forwarded | headers)
        )

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            process.wait(20)
        self.postgres.stop()


def fetch(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def until(condition, words: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, words
        time.sleep(0.2)


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("host")
    home.chmod(0o755)
    (home / "keys").mkdir(mode=0o700)
    machine = Host(home)
    machine.postgres.make()
    machine.postgres.start()
    try:
        machine.postgres.wait()
        machine.ports["postgres"] = machine.postgres.port
        start_neighbours(machine)
        machine.service("migrate")
        assert machine.running.pop().wait(60) == 0, machine.log("migrate")
        machine.service("web")
        machine.service("worker", {**machine.environment("worker"), "IDP_MANAGEMENT_BIND": "127.0.0.1:0"})
        until(lambda: machine.get("/readyz")[0] == 200, machine.log("web"))
        yield machine
    finally:
        machine.stop()


def start_neighbours(machine: Host) -> None:
    """pgbouncer and Valkey by the scripts and files of deploy/."""
    home = machine.home
    ini = (TOP / "deploy" / "pgbouncer" / "pgbouncer.ini").read_text()
    ini = ini.replace("host=postgres port=5432", f"host=127.0.0.1 port={machine.ports['postgres']}")
    ini = ini.replace("listen_addr = *", "listen_addr = 127.0.0.1").replace(
        "6432", str(machine.ports["pgbouncer"])
    )
    (home / "pgbouncer.ini").write_text(ini.replace("/tmp/userlist.txt", f"{home}/userlist.txt"))
    root = os.geteuid() == 0  # pgbouncer refuses to run as root
    start = f"exec {PGBOUNCER} {'-u nobody ' if root else ''}{home}/pgbouncer.ini"
    hand_over = f"chown nobody {home}/userlist.txt\n" if root else ""
    machine.script(
        "pgbouncer",
        {
            "/tmp/userlist.txt": f"{home}/userlist.txt",
            "exec pgbouncer /etc/idp/pgbouncer.ini": hand_over + start,
        },
    )
    machine.script(
        "valkey",
        {
            "/tmp/users.acl": f"{home}/users.acl",
            "exec valkey-server --port 6379": f"exec {binaries.redis()} --port {machine.ports['valkey']}",
            "--dir /data": f"--dir {home}",
        },
    )
    for name in ("pgbouncer", "valkey"):
        until(lambda name=name: answers(machine.ports[name]), machine.log(name))


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_tenant_signs_tokens_through_pgbouncer(host):
    secret = secrets.token_hex(20)
    (host.home / "acme.yaml").write_text(BLUEPRINT)
    host.idp("ops", "apply", "acme.yaml", NIGHTLY=secret)
    until(lambda: host.get("/t/acme/jwks.json")[0] == 200, "the directory has not heard of acme", 5)
    status, body = host.get("/t/acme/.well-known/openid-configuration")
    assert status == 200
    assert json.loads(body)["issuer"] == f"https://{HOST}/t/acme"
    request = urllib.request.Request(
        f"http://127.0.0.1:{host.ports['web']}/t/acme/token",
        f"grant_type=client_credentials&client_id=nightly&client_secret={secret}".encode(),
        {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-Host": HOST},
    )
    status, body = fetch(request)
    # The client's method is client_secret_basic, and a method is exact.
    assert status == 401, body
    basic = base64.b64encode(f"nightly:{secret}".encode()).decode()
    request = urllib.request.Request(
        request.full_url,
        b"grant_type=client_credentials",
        {**request.headers, "Authorization": f"Basic {basic}"},
    )
    status, body = fetch(request)
    assert status == 200, body
    assert json.loads(body)["token_type"] == "Bearer"


def test_a_foreign_host_gets_nothing_of_a_tenant(host):
    status, _ = host.get("/t/acme/jwks.json", Host="evil.example", **{"X-Forwarded-Host": "evil.example"})
    assert status == 404


def test_caddy_is_told_which_hosts_may_have_a_certificate(host):
    asked = re.search(r"ask http://web:9000(\S+)", (TOP / "deploy" / "Caddyfile").read_text())
    assert asked is not None
    assert host.get(f"{asked[1]}?domain={HOST}", "management")[0] == 200
    assert host.get(f"{asked[1]}?domain=stranger.example", "management")[0] == 404


def test_metrics_are_on_the_management_listener_alone(host):
    status, body = host.get("/metrics", "management")
    assert status == 200
    assert b"idp_requests_total" in body
    assert host.get("/metrics")[0] == 404


def test_no_password_of_the_deployment_is_in_any_log(host):
    values = [value for name, value in host.secrets.items() if name.endswith("PASSWORD")]
    for log in host.home.glob("*.log"):
        text = log.read_text(errors="replace")
        assert not [value for value in values if value in text], log.name
