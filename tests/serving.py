"""Verbs for tests that run `idp serve` as a process on the servers of their worker."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from idp.config import Settings
from idp.embedded import ports

SECONDS = 40


def environment(settings: Settings, port: int, management: int, **more: str) -> dict[str, str]:
    """The environment of a server that listens on `port`, and nothing of this process's own."""
    given = {
        "PATH": os.environ["PATH"],
        "IDP_ENV": "development",
        "IDP_HOME": str(settings.home),
        "IDP_KEYS": str(settings.keys),
        "IDP_BASE_URL": f"http://localhost:{port}",
        "IDP_DATABASE_URL": settings.database_url,
        "IDP_REDIS_URL": settings.redis_url,
        "IDP_MANAGEMENT_BIND": f"127.0.0.1:{management}",
        "IDP_LOG_LEVEL": "DEBUG",
        "UNRELATED": "canary-of-the-environment",
    }
    return {**given, **more}


def free() -> int:
    """A free port."""
    return ports.free()


def get(port: int, path: str, host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with closing(connection):
        connection.request("GET", path, headers={"Host": host or f"localhost:{port}"})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def until(check: Any) -> Any:
    """What `check` gives once it gives anything; a server that does not answer yet is waited for."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            found = check()
        except (OSError, http.client.HTTPException):
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited too long")


@contextmanager
def served(settings: Settings, log: Any, **more: str) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """A server with one web process: it, its port, and that of its management listener. `more`: environment."""
    port, management = free(), free()
    command = [sys.executable, "-m", "idp.cli", "serve", "--workers", "1", "--bind", f"127.0.0.1:{port}"]
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, env=environment(settings, port, management, **more), stdout=output, stderr=output
        )
        try:
            until(lambda: process.poll() is not None or get(port, "/livez")[0] == 200)
            assert process.poll() is None, log.read_text()
            yield process, port, management
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(15)
