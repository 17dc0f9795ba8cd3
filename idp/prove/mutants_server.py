"""The other half of the mutants: copies of the product's source, each broken in one way, served and attacked."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep

from redis.exceptions import RedisError

from idp.prove import clock, run
from idp.prove.broken_servers import SERVERS, Server
from idp.prove.mutants import Progress, Scratch, Verdict
from idp.prove.promises import NotProved, Promise, Tally, Unexpected
from idp.prove.target import Program, Target

HALF = "server"
PACKAGE = Path(__file__).resolve().parents[1]
BESIDE = ("templates", "static", "migrations", "examples")
"""What lies beside the package in a checkout, and inside it when it is installed."""
START_SECONDS, STOP_SECONDS = 120.0, 30.0


class _Enough(Exception):
    """A promise has turned red; more need not be found."""


class _First(Tally):
    """Ends its probe at the first finding."""

    def broken(self, sentence: str) -> None:
        super().broken(sentence)
        raise _Enough


def verdicts(scratch: Scratch, tell: Progress) -> Iterator[Verdict]:
    """Each broken server in turn, on a scratch deployment. Raises NotProved."""
    yield from tried(scratch, tell, SERVERS)


def tried(scratch: Scratch, tell: Progress, servers: Sequence[Server]) -> Iterator[Verdict]:
    """The same for some of them. A shadow that is a database alone has no server to break."""
    if not scratch.environment:
        tell("a shadow is a database alone, so that no server was broken")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idp-mutants-")))
        copy, port = _copied(folder), _free_port()
        program = _program(scratch, copy, port)
        target = stack.enter_context(run.facing(program, program.json("env", "--show-secrets"), tell))
        usual = _red(target, folder, program, port, tuple({code for each in servers for code in each.tried}))
        if usual:
            raise NotProved(f"What is to be broken is broken already: {'; '.join(usual.values())}")
        for server in servers:
            tell(f"mutant: {server.name}")
            with _broken(copy, server):
                noticed = _red(target, folder, program, port, server.tried, enough=True)
            yield Verdict(HALF, server.name, tuple(noticed))


def _copied(folder: Path) -> Path:
    """The source in a folder of its own."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(PACKAGE, folder / "source" / "idp", ignore=unwanted)
    for name in BESIDE:
        if (PACKAGE.parent / name).is_dir() and not (PACKAGE / f"_{name}").is_dir():
            shutil.copytree(PACKAGE.parent / name, folder / "source" / name, ignore=unwanted)
    return folder / "source"


def _program(scratch: Scratch, copy: Path, port: int) -> Program:
    places = [str(copy), *filter(None, [scratch.environment.get("PYTHONPATH")])]
    environment = {
        **scratch.environment, "PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1",
        "IDP_BASE_URL": f"http://localhost:{port}",
    }  # fmt: skip
    return Program((sys.executable, "-P", "-m", "idp.cli"), environment)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _broken(copy: Path, server: Server) -> Iterator[None]:
    """The copy, broken for the length of the block. Raises NotProved where a text is not there exactly once."""
    whole: dict[Path, str] = {}
    try:
        for name, text, instead in server.changes:
            path = copy / "idp" / name
            source = path.read_text(encoding="utf-8")
            if source.count(text) != 1:
                raise NotProved(
                    f"The mutant “{server.name}” does not fit {name} any more: mend broken_servers.py."
                )
            whole.setdefault(path, source)
            path.write_text(source.replace(text, instead), encoding="utf-8")
        yield
    finally:
        for path, source in whole.items():
            path.write_text(source, encoding="utf-8")


def _red(
    target: Target, folder: Path, program: Program, port: int, codes: Sequence[str], *, enough: bool = False
) -> dict[str, str]:
    """Which of these promises the copy's server does not keep, and where; with `enough` only the first."""
    red: dict[str, str] = {}
    wanted = [promise for promise in run.PROMISES if promise.code in codes]
    with _served(folder, program, port):
        for promise in wanted:
            found = _found(promise, replace(target, kept={}))
            if found is not None:
                red[promise.code] = found
                if enough:
                    break
    return red


def _found(promise: Promise, target: Target) -> str | None:
    """The first sentence of what does not hold, or None."""
    tally = _First()
    try:
        promise.probe(target, tally)
    except Unexpected as surprise:
        return str(surprise)
    except _Enough:
        pass
    except (RedisError, OSError, http.client.HTTPException) as problem:
        raise NotProved(f"{promise.code} could not be tried to its end: {problem}") from None
    return tally.found[0] if tally.found else None if tally.tried else "nothing was tried"


@contextmanager
def _served(folder: Path, program: Program, port: int) -> Iterator[None]:
    """The copy's web server and worker, for the length of the block. Raises NotProved where it does not start."""
    log = folder / "serve.log"
    web = [*program.words, "serve", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    started = []
    with log.open("wb") as output:
        for command in (web, [*program.words, "worker"]):
            started.append(
                subprocess.Popen(command, env=dict(program.environment), stdout=output, stderr=output)
            )
    try:
        _wait(started[0], port, log)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = clock.elapsed() + START_SECONDS
    while clock.elapsed() < until and process.poll() is None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            line.request("GET", "/livez", headers={"Connection": "close"})
            line.getresponse().read()
            return
        except (OSError, http.client.HTTPException):
            sleep(0.1)
        finally:
            line.close()
    said = (log.read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
    raise NotProved(f"A scratch server did not start: {said[:200]}")
