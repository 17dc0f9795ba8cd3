"""`idp serve` as a process: what it refuses, when it is ready, what it tells whom, how it ends."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from typing import Any

import pytest

from idp import upkeep
from idp.config import Settings
from idp.tenants import Tenant
from tests.serving import environment, free, get, served, until


def _raw(port: int, message: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
        connection.sendall(message)
        return connection.recv(4096)


def test_a_server_from_start_to_end(acme: Tenant, vault: Settings, tmp_path: Any) -> None:
    """Rulings, Readiness: red until everything is there, then only what replicas do not share turns it red."""
    log = tmp_path / "serve.log"
    with served(vault, log) as (process, port, management):
        status, headers, body = get(port, "/readyz", host="anything.test")
        assert (status, body.split()) == (503, [b"unready"]) and headers["retry-after"]
        detail = json.loads(get(management, "/readyz")[2])
        assert [check["code"] for check in detail["checks"] if not check["ok"]] == ["IDP-INF-019"]
        live = {check["code"]: check for check in detail["deployment"]["live"]}
        assert live["IDP-SEC-010"]["ok"] and live["IDP-INF-019"]["fix"]

        upkeep.beat()
        until(lambda: get(port, "/readyz")[0] == 200)
        assert get(port, "/readyz")[2] == b"ready\n"
        assert get(port, "/t/acme/jwks.json")[0] == 200
        assert get(port, "/t/acme/jwks.json", host="evil.test")[0] == 404
        until(lambda: b'endpoint="wellknown.keys",status="200"' in get(management, "/metrics")[2])
        assert get(port, "/metrics")[0] == 404
        assert get(management, "/caddy/ask?domain=localhost")[0] == 200
        for domain in ("evil.test", "", "acme", "%00", "a" * 300):
            assert get(management, f"/tls/ask?domain={domain}")[0] == 404

        _smuggle(port)
        with ExitStack() as idle:
            for _ in range(3):
                connection = idle.enter_context(
                    closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5))
                )
                connection.request("GET", "/livez")
                connection.getresponse().read()
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(12) == 0
            assert time.monotonic() - began < 10
    text = log.read_text()
    assert '"endpoint":"wellknown.keys"' in text
    for secret in ("canary-of-the-environment", vault.database_url, vault.redis_url):
        assert secret not in text


def _smuggle(port: int) -> None:
    """HH08: a message whose end two parsers may see in two places is refused."""
    head = f"POST /t/acme/token HTTP/1.1\r\nHost: localhost:{port}\r\n".encode()
    for rest in (
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\na=1",
        b"Content-Length: +3\r\n\r\na=1",
        b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        b"Content-Length : 3\r\n\r\na=1",
    ):
        assert _raw(port, head + rest).startswith(b"HTTP/1.1 400"), rest


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"IDP_ENV": "production"}, "IDP_BASE_URL"),
        ({"IDP_DATABASE_URL": "postgresql://idp_app:x@127.0.0.1:1/idp"}, "IDP_DATABASE_URL"),
        ({"IDP_KEYS": "/nonexistent"}, "key"),
        ({"HTTP_PROXY": "http://proxy.test"}, "HTTP_PROXY"),
        ({"IDP_MANAGEMENT_BIND": "127.0.0.1:99999"}, "IDP_MANAGEMENT_BIND"),
    ],
)
def test_it_refuses_to_start_in_one_sentence(vault: Settings, changes: dict[str, str], field: str) -> None:
    given = environment(vault, free(), free(), **changes)
    done = subprocess.run(
        [sys.executable, "-m", "idp.cli", "serve"],
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("idp: ") and field in last
    assert "Traceback" not in done.stderr


def test_it_refuses_a_role_that_row_security_does_not_bind(vault: Settings, services: Any) -> None:
    owner = vault.with_(database_url=services.superuser.url)
    done = subprocess.run(
        [sys.executable, "-m", "idp.cli", "serve"],
        env=environment(owner, free(), free()),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and "row security" in done.stderr.splitlines()[-1]


def test_it_refuses_a_table_that_does_not_force_row_security(vault: Settings, database: Any) -> None:
    database("ALTER TABLE users NO FORCE ROW LEVEL SECURITY")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "idp.cli", "serve"],
            env=environment(vault, free(), free()),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2 and "users" in done.stderr.splitlines()[-1]
    finally:
        database("ALTER TABLE users FORCE ROW LEVEL SECURITY")
