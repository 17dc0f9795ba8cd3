"""Release N and N+1 side by side on one Postgres and one Redis, up and back again, under load (F09, F16, F17).

N is this tree. N+1 is a copy of it with one more migration that only adds, another form of the session's copy in
Redis, and more in what codes and sign-ins carry. Requests of one flow alternate between the two.
"""

import itertools
import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from redis import Redis

from idp.embedded import ports, scratch
from idp.prove.browser import Browser
from idp.prove.service import Service
from idp.prove.visitor import Party
from idp.prove.wire import Answer, Net
from idp.store.ephemeral import live_sessions
from tests.playing import PASSWORDS
from tests.running import TOP, environment, within

pytestmark = pytest.mark.slow

PATIENCE = 90
"""Seconds for a step, on a machine busy with other things."""
LATER = '''"""One more column.

Revision ID: 9001
"""

from alembic import op

revision = "9001"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only adds."""
    op.execute("SET ROLE idp_owner")
    op.execute("ALTER TABLE sessions ADD COLUMN later TEXT")
    op.execute("GRANT UPDATE (later) ON sessions TO idp_app")


def downgrade() -> None:
    """Nowhere."""
'''
CHANGES = {
    "idp/store/ephemeral/live_sessions.py": (
        (f"VERSION = {live_sessions.VERSION} ", f"VERSION = {live_sessions.VERSION + 1} "),
        ('"amr": list(session.amr)', '"methods": list(session.amr)'),
        ('kept["amr"]', 'kept["methods"]'),
    ),
    "idp/oauth/granting.py": (('"nonce": request.nonce,', '"nonce": request.nonce, "later": 1,'),),
    "idp/oauth/underway.py": (('"params": self.params,', '"params": self.params, "later": 1,'),),
}


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of release N+1."""
    from idp.store import revision

    tree = tmp_path_factory.mktemp("following") / "tree"
    for name in ("idp", "migrations", "templates", "static", "examples"):
        shutil.copytree(TOP / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", tree)
    (tree / "migrations" / "versions" / "9001_later.py").write_text(LATER.format(head=revision.head()))
    for name, pairs in CHANGES.items():
        text = (tree / name).read_text()
        for old, new in pairs:
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        (tree / name).write_text(text)
    return tree


@dataclass
class Deployment:
    """Postgres, Redis and the addresses under which both releases serve them."""

    given: dict[str, str]
    base: str
    stack: ExitStack
    nodes: list[str] = field(default_factory=list)
    """Origins that the load goes to, in turn."""

    def run(self, tree: Path, *arguments: str) -> None:
        """One command of a release."""
        done = subprocess.run(
            [sys.executable, "-m", "idp.cli", *arguments],
            cwd=tree, env=self._environment(tree), capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def serve(self, tree: Path) -> tuple[str, subprocess.Popen[bytes]]:
        """Start the web server of a release, wait until it answers, and let the load come."""
        port = ports.free()
        log = Path(self.given["IDP_HOME"]) / f"serve-{port}.log"
        words = [sys.executable, "-m", "idp.cli", "serve", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
        with open(log, "wb") as said:
            process = subprocess.Popen(words, cwd=tree, env=self._environment(tree), stdout=said, stderr=said)
        self.stack.callback(_ended, process)
        origin = f"http://127.0.0.1:{port}"
        assert within(PATIENCE, lambda: _answers(self.base, origin) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        self.nodes.append(origin)
        return origin, process

    def retire(self, node: tuple[str, subprocess.Popen[bytes]], load: "Load") -> None:
        """Take a node out as a balancer does: no new requests, then SIGTERM."""
        self.nodes.remove(node[0])
        load.goes_on(1)
        node[1].send_signal(signal.SIGTERM)
        assert node[1].wait(PATIENCE) == 0

    def _environment(self, tree: Path) -> dict[str, str]:
        return {**environment(), **self.given, "PYTHONPATH": str(tree)}


def _ended(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


def _answers(base: str, origin: str) -> bool:
    try:
        with Net() as net:
            return net.get(f"{base}/t/acme/.well-known/openid-configuration", at=origin).status == 200
    except OSError:
        return False


class Alternating(Net):
    """A visitor whose requests go to the nodes in turn."""

    def __init__(self, nodes: list[str]) -> None:
        super().__init__(timeout=30, per_second=500)
        self.nodes, self.turn = nodes, itertools.count()

    def ask(self, *given: Any, at: str | None = None, **more: Any) -> Answer:
        """To the next node."""
        nodes = list(self.nodes)
        return super().ask(*given, at=at or nodes[next(self.turn) % len(nodes)], **more)


class Load:
    """One relying party whose people sign in, refresh and come back, again and again."""

    def __init__(self, base: str, nodes: list[str]) -> None:
        self.issuer, self.nodes = f"{base}/t/acme", nodes
        self.rounds, self.failed, self.over = 0, [], threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with Alternating(self.nodes) as net:
            secret = "acme-web-secret-0123456789-0123456789"
            self.rp = Party(net, self.issuer, "web", "http://localhost:8001/callback", secret)
            self.rp.scope = "openid profile offline_access"
            self.first = Browser(net, self.issuer)
            self.kept: dict[str, Any] = {}
            while not self.over.is_set():
                try:
                    self._round(net)
                except Exception as error:
                    self.failed.append(f"{type(error).__name__}: {error}")
                self.rounds += 1

    def _round(self, net: Net) -> None:
        """A new person, the first one's session and refresh token again, and a service that checks."""
        rp = self.rp
        if not self.kept:
            self.kept = rp.sign_in(self.first, "alice", PASSWORDS["acme", "alice"])
        tokens = rp.sign_in(Browser(net, self.issuer), "bob", PASSWORDS["acme", "bob"])
        silent = rp.redeem(rp.code(rp.authorize(self.first, prompt="none"))).json()
        self.kept = rp.refresh(self.kept["refresh_token"]).json()
        for token in (tokens, silent, self.kept):
            Service(net, self.issuer, self.issuer).check(token["access_token"])
            rp.userinfo(token["access_token"]).json()
            assert rp.introspect(token["access_token"]).json()["active"] is True
        assert rp.revoke(tokens["refresh_token"]).status == 200
        assert rp.introspect(tokens["access_token"]).json() == {"active": False}

    def goes_on(self, rounds: int) -> None:
        """Wait for so many whole rounds more; none may have failed."""
        wanted = self.rounds + rounds + 1  # the one that runs now began before
        assert within(PATIENCE, lambda: self.rounds >= wanted or bool(self.failed)), "the load stands still"
        assert self.failed == []


@contextmanager
def loaded(deployment: Deployment) -> Iterator[Load]:
    """Load for the length of the block."""
    load = Load(deployment.base, deployment.nodes)
    load.thread.start()
    try:
        yield load
    finally:
        load.over.set()
        load.thread.join(PATIENCE)
    assert load.failed == []


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """Servers with the schema of N and the twins in it."""
    with scratch.servers() as given, ExitStack() as stack:
        base = f"http://localhost:{ports.free()}"
        made = Deployment({**given, "IDP_BASE_URL": base}, base, stack)
        made.run(TOP, "migrate")
        made.run(TOP, "apply", str(TOP / "tests" / "twins.yaml"))
        yield made


def _versions(deployment: Deployment) -> set[int]:
    """In which forms sessions lie in Redis."""
    with Redis.from_url(deployment.given["IDP_REDIS_ADMIN_URL"]) as redis:
        values = [redis.get(key) for key in redis.scan_iter("idp:*:session:*")]
    return {json.loads(value)["v"]["version"] for value in values if value}


def test_f09_f16_f17_an_upgrade_and_the_way_back_without_a_failed_request(
    deployment: Deployment, following: Path
) -> None:
    old = deployment.serve(TOP)
    with loaded(deployment) as load:
        load.goes_on(1)
        deployment.run(following, "migrate")  # while N serves
        load.goes_on(1)
        new = deployment.serve(following)
        load.goes_on(2)  # both, in turn
        assert live_sessions.VERSION + 1 in _versions(deployment)
        deployment.retire(old, load)
        load.goes_on(1)  # N+1 alone
        again = deployment.serve(TOP)  # and back: N on the schema of N+1
        load.goes_on(2)
        deployment.retire(new, load)
        load.goes_on(1)
        assert again[1].poll() is None
    url = scratch.superuser(deployment.given)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT version_num FROM alembic_version")
        assert cursor.fetchone() == ("9001",)
        cursor.execute("SELECT count(*) FROM audit_log WHERE event IN ('code.replayed', 'refresh.replayed')")
        assert cursor.fetchone() == (0,)
    connection.close()
