"""Every command of the README is run, in its order, against the provider that its first command starts.

The page's ports are moved to free ones and its data folder to a temporary one; nothing else is changed. What
follows a command in its block is what it must print. A command that is not run stands in SHOWN with the reason.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text()

SHOWN = {
    "make test": "it is what runs this test",
    "make bench": "it takes minutes and two quiet cores; benchmarks have their own tests",
}
STARTS = {
    "make up": "ready http://localhost:8000",
    "examples/relying_party/app.py": "Running on",
}
READY_SECONDS = 120
COMMAND_SECONDS = 400
"""A whole proof of isolation is one of the commands, and other tests run beside this one."""


@dataclass
class Command:
    """One command of the page with its further lines (`> `) and what it is said to print."""

    text: str
    output: list[str] = field(default_factory=list)

    @property
    def starts(self) -> str | None:
        """The words by which a command that stays in the foreground says that it runs."""
        return next((words for name, words in STARTS.items() if name in self.text), None)


def commands(text: str = README) -> list[Command]:
    """The commands of all console blocks, in order."""
    found: list[Command] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:]))
            elif line.startswith("> "):
                found[-1].text += "\n" + line[2:]
            else:
                found[-1].output.append(line)
    return found


def free_ports() -> int:
    """A port with two free neighbours above it, and ten above it another free one."""
    for base in range(21_000, 29_000, 20):
        if all(_free(base + more) for more in (0, 1, 2, 10)):
            return base
    raise AssertionError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Reader:
    """A newcomer who types the page's commands."""

    def __init__(self, home: Path) -> None:
        self.base = free_ports()
        self.home = home
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "PYTEST"))
        }
        self.environment = {**inherited, "IDP_HOME": str(home / "data"), "PYTHONUNBUFFERED": "1"}
        self.running: list[subprocess.Popen[str]] = []

    def moved(self, text: str) -> str:
        """The command with the page's ports, folders and programs replaced by this reader's."""
        for port, more in ((8000, 0), (8001, 1), (8002, 2), (8010, 10)):
            text = text.replace(f"localhost:{port}", f"localhost:{self.base + more}")
        text = (
            text.replace("PORT=8010", f"PORT={self.base + 10}")
            .replace("initech.yaml", f"{self.home}/initech.yaml")
            .replace("proof.html", f"{self.home}/proof.html")
        )
        text = text.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
        return text.replace("make up", self.up())

    def up(self) -> str:
        """`make up` itself where its installation is up to date, so that nothing is installed under running tests."""
        settled = (
            subprocess.run(["make", "-q", "install"], cwd=TOP, capture_output=True, check=False).returncode
            == 0
        )
        if settled and Path(sys.executable).parent == TOP / ".venv" / "bin":
            return f"make up ARGS='--port {self.base}'"
        return f"{Path(sys.executable).parent}/idp up --port {self.base}"

    def run(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=TOP, env=self.environment, timeout=COMMAND_SECONDS,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, command: str, words: str) -> None:
        """Start what stays in the foreground and wait until it says `words`."""
        log = self.home / f"{len(self.running)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec env {command}" if "=" in command.split()[0] else f"exec {command}"],
                cwd=TOP, env=self.environment, stdout=out, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        self.running.append(process)
        deadline = time.monotonic() + READY_SECONDS
        while self.moved(words) not in log.read_text():
            assert process.poll() is None, f"{command} ended:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{command} is not ready:\n{log.read_text()}"
            time.sleep(0.1)

    def stop(self) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.wait(15)


@pytest.fixture
def reader(tmp_path) -> Iterator[Reader]:
    newcomer = Reader(tmp_path)
    try:
        yield newcomer
    finally:
        newcomer.stop()


def test_every_shown_command_is_on_the_page():
    typed = {command.text for command in commands()}
    assert set(SHOWN) <= typed


def test_the_page_fits_a_first_look():
    """What it is, what it is not and the two commands come before anything else."""
    assert (
        README.index("it is not")
        < README.index("make up")
        < README.index("make test")
        < README.index("Three steps")
    )


def test_make_targets_of_the_page_exist():
    targets = set(re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    assert {command.text.split()[1] for command in commands() if command.text.startswith("make ")} <= targets


def test_bench_markers_stand_once():
    assert README.count("<!-- bench:start -->") == README.count("<!-- bench:end -->") == 1


@pytest.mark.slow
def test_every_command_does_what_the_page_says(reader):
    """Needs the whole product: it starts the provider and signs nobody in; journeys do that."""
    before = ""  # variables of earlier commands of the page, set again for later ones
    for command in commands():
        if command.text in SHOWN:
            continue
        moved = reader.moved(command.text)
        if command.starts:
            reader.start(moved, command.starts)
            continue
        printed = reader.run(before + moved)
        if re.match(r"[A-Z]+=\$\(", moved):
            before += moved + "\n"
        if command.output:
            assert printed.splitlines() == command.output, moved
    with urllib.request.urlopen(f"http://localhost:{reader.base + 10}/", timeout=5) as answer:
        assert b"Sign in" in answer.read()
