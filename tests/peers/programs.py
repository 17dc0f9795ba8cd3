"""Programs in other languages that stand on a library of relying parties: installed once, driven line by line.

A program reads one JSON object from its first line, tells `{"browse": URL}` whenever a person has to go somewhere,
gets back where the person arrived, and ends with `{"done": …}` or `{"failed": …}`.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.person import Person

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "idp-peers"
INSTALL_WITHIN, RUN_WITHIN, ASK_AGAIN = 120, 40, 600
"""Seconds: for one installation, for one run of a program, and until a failed installation is tried again."""


class Missing(Exception):
    """What a program needs is not here and cannot be had; `str()` says what."""


def installed(name: str, sources: list[Path], install: Callable[[Path], list[str]]) -> Path:
    """The folder, outside the checkout, in which `install(folder)` has run on copies of `sources`. Raises Missing.

    It is made once for these very sources, whoever asks first.
    """
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    complete, failed = folder / ".complete", CACHE / f"{name}-{digest}.failed"
    try:
        with _alone(CACHE / f"{name}-{digest}.lock"):
            if complete.exists():
                return folder
            if failed.exists() and time.time() - failed.stat().st_mtime < ASK_AGAIN:
                raise Missing(failed.read_text())
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for path in sources:
                shutil.copy(path, folder)
            said = _said(install(folder), folder)
            if said is not None:
                failed.write_text(said)
                raise Missing(said)
            complete.touch()
            return folder
    except OSError as problem:
        raise Missing(f"{CACHE} cannot be written: {problem.strerror}") from problem


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _said(command: list[str], folder: Path) -> str | None:
    """Why the installation did not work; None when it did."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_WITHIN, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{' '.join(command)} did not end in {INSTALL_WITHIN} s"
    words = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
    program = next(each for each in command if "=" not in each and each != "env")
    return None if done.returncode == 0 else f"{program} could not install it: {words[-1][:200]}"


def node_packages() -> Path:
    """The folder with node_modules of tests/peers/node. Raises Missing."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Missing(f"no {program} on the PATH")
    quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", "--prefer-offline"]
    hasty = ["--fetch-retries=1", "--fetch-timeout=15000"]
    sources = [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"]
    return installed("node", sources, lambda _: ["npm", "ci", *quiet, *hasty])


def go_program() -> Path:
    """The program of tests/peers/go, built without optimising, which is quicker. Raises Missing."""
    if shutil.which("go") is None:
        raise Missing("no go on the PATH")
    sources = [HERE / "go" / name for name in ("go.mod", "go.sum", "main.go")]
    build = ["go", "build", "-gcflags=all=-N -l", "-ldflags=-s -w", "-o", "peer", "."]
    plain = ["env", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off"]
    return installed("go", sources, lambda _: [*plain, *build]) / "peer"


class Failed(AssertionError):
    """The program's library refused what the provider did, or the other way round; `told` says what it said."""

    def __init__(self, told: dict[str, Any]) -> None:
        """`told`: name, code and message of what was thrown."""
        super().__init__(json.dumps(told, indent=1))
        self.told = told


@dataclass(frozen=True)
class Program:
    """A command that speaks the lines above."""

    command: tuple[str, ...]

    def run(self, person: Person, **given: Any) -> dict[str, Any]:
        """What it has done, with `person` going where it sends them. Raises Failed."""
        process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        watch = threading.Timer(RUN_WITHIN, process.kill)
        watch.start()
        try:
            return _talk(process, person, given)
        finally:
            watch.cancel()
            if process.poll() is None:
                process.kill()
            process.communicate()


def _talk(process: "subprocess.Popen[str]", person: Person, given: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = given
    while True:
        print(json.dumps(line), file=process.stdin, flush=True)
        told = process.stdout.readline()
        if not told:
            raise Failed({"message": process.stderr.read()[-2000:] or "it ended without a word"})
        heard = json.loads(told)
        if "done" in heard:
            return dict(heard["done"])
        if "failed" in heard:
            raise Failed(heard["failed"])
        line = person.visit(heard["browse"])
