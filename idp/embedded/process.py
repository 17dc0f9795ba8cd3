"""Starting and stopping one process, and knowing again one that an earlier run left behind.

A pid alone proves nothing, because pids are used again: a process is known by its pid together
with the instant it was started at.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from idp import clock
from idp.embedded.privilege import LINUX, die_with

LOG_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Trace:
    """What is written down of a process so that a later run can tell it from a stranger with its pid."""

    name: str
    pid: int
    started: str


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    last_wish: signal.Signals = signal.SIGTERM,
    prepare: Callable[[], None] | None = None,
    given: bytes | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, output to `log`, `given` on its standard input.

    It receives `last_wish` when the calling thread ends, so only the main thread may call.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if prepare is not None:
            prepare()
        die_with(parent, last_wish)

    if log.is_file() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        child = subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=None if env is None else dict(env),
            start_new_session=True,
            preexec_fn=before_exec,
        )
    if given is not None and child.stdin is not None:
        with suppress(BrokenPipeError):
            child.stdin.write(given)
            child.stdin.close()
    return child


def finish(
    argv: Sequence[str | Path], *, given: bytes, prepare: Callable[[], None] | None
) -> tuple[int, str]:
    """Run `argv` to its end; its status and what it wrote. Nothing of it outlives an interruption."""
    parent = os.getpid()

    def before_exec() -> None:
        if prepare is not None:
            prepare()
        die_with(parent, signal.SIGKILL)

    child = subprocess.Popen(
        [str(part) for part in argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        start_new_session=True,
        preexec_fn=before_exec,
    )
    try:
        written, _ = child.communicate(given)
    finally:
        sweep(child.pid)
        child.wait()
    return child.returncode, written.decode(errors="replace")


def until(condition: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Whether `condition` became true within `seconds` of real time."""
    deadline = clock.monotonic() + seconds
    while not condition():
        if clock.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True


def stop(child: subprocess.Popen[bytes], signals: Sequence[signal.Signals], grace: float) -> None:
    """Send each of `signals` in turn, `grace` seconds apart, then kill; sweep up what it had started."""
    for each in signals:
        if child.poll() is None:
            child.send_signal(each)
            until(lambda: child.poll() is not None, grace)
    sweep(child.pid)
    child.wait()


def sweep(group: int) -> None:
    """Kill whatever is left of the process group that a child of ours led."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def trace(name: str, pid: int) -> Trace:
    """What to write down of the running process `pid`."""
    return Trace(name, pid, started(pid) or "")


def alive(seen: Trace) -> bool:
    """Whether the very process that was written down still runs."""
    return bool(seen.started) and started(seen.pid) == seen.started


def end(seen: Trace, signals: Sequence[signal.Signals], grace: float) -> None:
    """Stop a process that is not our child but was written down by an earlier run."""
    for each in (*signals, signal.SIGKILL):
        if not alive(seen):
            break
        with suppress(ProcessLookupError):
            os.kill(seen.pid, each)
        until(lambda: not alive(seen), grace)
    if started(seen.pid) is None:
        sweep(seen.pid)


def started(pid: int) -> str | None:
    """The instant at which `pid` was started, in a form only fit for comparing; None when it does not run."""
    if LINUX:
        fields = _stat(pid)
        return None if fields is None or fields[0] in "ZX" else fields[19]
    done = subprocess.run(
        ["ps", "-p", str(pid), "-o", "lstart="], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def command(pid: int) -> str:
    """The name of the program that `pid` runs; empty when it does not run."""
    if LINUX:
        with suppress(OSError):
            return Path(f"/proc/{pid}/comm").read_text().strip()
        return ""
    done = subprocess.run(["ps", "-p", str(pid), "-o", "comm="], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()).name


def inside(place: Path, program: str) -> list[Trace]:
    """The processes of `program` whose working folder is `place`; none where the system does not tell."""
    pids = (int(entry.name) for entry in Path("/proc").glob("[0-9]*")) if LINUX else iter(())
    return [trace(program, pid) for pid in pids if command(pid) == program and folder(pid) == place]


def folder(pid: int) -> Path | None:
    """The working folder of `pid`, where the system tells it."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink()
    return None


def _stat(pid: int) -> list[str] | None:
    """The fields of proc(5)'s stat after the command, which may itself hold spaces and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
