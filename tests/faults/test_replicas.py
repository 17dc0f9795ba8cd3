"""Redis stopped, then Postgres, under two replicas: none leaves the load balancer, and both go on serving keys."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from idp import upkeep
from idp.config import Settings
from idp.tenants import Tenant
from tests.serving import get, served, until

pytestmark = pytest.mark.slow

PATHS = ("/t/acme/.well-known/openid-configuration", "/t/acme/jwks.json", "/readyz")
ROUNDS = 20
"""How often each replica is asked for each of them while something is away."""
AWAY = {"redis": "IDP-INF-010", "postgres": "IDP-INF-001"}


class Replicas:
    """Two web servers that are one provider, as behind a load balancer."""

    def __init__(self, host: str, ports: list[tuple[int, int]]) -> None:
        """`host`: of the base URL; `ports`: the port of each, and that of its management listener."""
        self.host, self.ports = host, ports

    def status(self, port: int, path: str) -> int:
        """The status of an answer; 0 where nobody answers."""
        try:
            return get(port, path, host=self.host)[0]
        except (OSError, http.client.HTTPException):
            return 0

    def told(self, management: int) -> dict[str, bool]:
        """What a replica tells of the checks before its first traffic, by code."""
        checks = json.loads(get(management, "/readyz")[2])["checks"]
        return {check["code"]: check["ok"] for check in checks}


class Load:
    """One who asks both replicas in turn; gently."""

    def __init__(self, replicas: Replicas) -> None:
        """Nothing is asked before the block begins."""
        self.replicas = replicas
        self.answers: list[tuple[int, str, int]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for port, _ in self.replicas.ports:
                self.answers += [(port, path, self.replicas.status(port, path)) for path in PATHS]
            time.sleep(0.02)

    def rounds(self, count: int) -> None:
        """Wait until both were asked for everything so many times from now on."""
        wanted = len(self.answers) + count * len(self.replicas.ports) * len(PATHS)
        until(lambda: len(self.answers) >= wanted)


@pytest.fixture
def replicas(acme: Tenant, vault: Settings, tmp_path: Path) -> Iterator[Replicas]:
    """Both ready, and both have been asked once: what is in memory is there."""
    with ExitStack() as stack:
        host = "localhost:8000"
        where = {"IDP_BASE_URL": f"http://{host}"}
        servers = [stack.enter_context(served(vault, tmp_path / f"{n}.log", **where)) for n in (1, 2)]
        found = Replicas(host, [(port, management) for _, port, management in servers])
        upkeep.beat()
        for port, _ in found.ports:
            for path in reversed(PATHS):
                until(lambda port=port, path=path: _arrived(found, port, path))
        yield found


def _arrived(replicas: Replicas, port: int, path: str) -> bool:
    upkeep.beat()
    return replicas.status(port, path) == 200


@contextmanager
def stopped(server: Any) -> Iterator[None]:
    """A server that is gone, and back on the same port at the end."""
    server.child.kill()
    server.child.wait(10)
    try:
        yield
    finally:
        server.restart()
        server.wait()


def test_no_replica_leaves_when_redis_and_then_postgres_go(replicas: Replicas, services: Any) -> None:
    with Load(replicas) as load:
        for name, code in AWAY.items():
            with stopped(getattr(services, name)):
                for _, management in replicas.ports:
                    until(lambda management=management, code=code: replicas.told(management)[code] is False)
                load.rounds(ROUNDS)
            for _, management in replicas.ports:
                until(lambda management=management, code=code: replicas.told(management)[code])
    assert {(path, status) for _, path, status in load.answers} == {(path, 200) for path in PATHS}
    for port, _ in replicas.ports:
        assert sum(1 for asked, *_ in load.answers if asked == port) >= 2 * ROUNDS * len(PATHS)
