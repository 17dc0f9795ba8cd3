"""`idp ready`: the four gates before a deployment, one line a check."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, TextIO

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from idp import logs
from idp.cli import https, proving, session
from idp.config import ConfigError
from idp.control.readiness.check import Gate
from idp.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from idp.control.readiness.check import Result

_MARKS = {
    "green": ("✓", "green"), "warn": ("!", "yellow"), "red": ("✗", "bold red"),
    "unknown": ("?", "dim"), "absent": ("·", "dim"),
}  # fmt: skip
_WIDTH, _INDENT = 42, 4


@click.command("ready")
@click.option("--gate", "gates", multiple=True, type=click.Choice([str(each) for each in Gate]),
              help="One gate; may be given several times (else all of them).")  # fmt: skip
@click.option("--accept", is_flag=True,
              help="Keep this run's figures as those with which later runs are compared.")  # fmt: skip
@click.option("--against", type=click.File(encoding="utf-8"), metavar="FILE",
              help="Compare with the fingerprint of another environment (idp align --export).")  # fmt: skip
@session.options
def command(gates: tuple[str, ...], accept: bool, against: TextIO | None) -> None:
    """Say whether this deployment may go on: four gates, status 1 when one of them is red."""
    from idp.control.alignment import fingerprint
    from idp.control.readiness import performance, run
    from idp.control.readiness.check import Stops

    wanted = [gate for gate in Gate if not gates or str(gate) in gates]
    if accept and Gate.PERFORMANCE not in wanted:
        raise click.UsageError("--accept needs the gate performance")
    signal.signal(signal.SIGTERM, _stop)
    there = fingerprint.read(against.read()) if against is not None else None
    https.trust(session.current().home)
    program = proving.program(session.current().home)
    with session.found().running() as settings:
        logs.setup("ERROR")
        with _telling() as tell, run.opened(settings, program=program, against=there, tell=tell) as world:
            results = _told(run.look(run.of(Stops.DEPLOY, wanted), world))
            if accept:
                performance.accept(world)
            _keep(results)
    ready = all(result.ok for result in results)
    if session.current().json:
        session.answer({"ready": ready, "checks": [result.content() for result in results]})
    else:
        _sum_up(results)
    if not ready:
        session.no()


def _stop(number: int, _frame: FrameType | None) -> None:
    """What was made for looking is removed before the end."""
    raise SystemExit(128 + number)


def _keep(results: "list[Result]") -> None:
    from idp.control.readiness import run

    try:
        run.keep(results)
    except (ConfigError, Refusal) as problem:
        click.echo(f"The result was not kept: {problem}", err=True)


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, on a terminal alone."""
    if session.current().json or not _console().is_terminal:
        yield lambda _line: None
        return
    with _console().status("[dim]looking …[/]", spinner_style="dim", refresh_per_second=4) as status:
        yield lambda line: status.update(f"[dim]{line} …[/]")


@cache
def _console() -> Console:
    return Console(stderr=True, highlight=False)


def _told(results: "Iterable[Result]") -> "list[Result]":
    """Every result, each shown as soon as it is there; nothing is shown where JSON is asked for."""
    if session.current().json:
        return list(results)
    console = _console()
    seen: list[Result] = []
    blind: list[Result] = []
    for result in results:
        begins = not seen or seen[-1].check.gate is not result.check.gate
        if blind and (begins or result.words != blind[0].words or str(result.state) != "unknown"):
            _show_blind(console, blind)
        if begins:
            console.print()
            console.print(Text(str(result.check.gate).capitalize(), style="bold"))
        seen.append(result)
        if str(result.state) == "unknown":
            blind.append(result)
        else:
            _show(console, result)
    _show_blind(console, blind)
    return seen


def _show_blind(console: Console, blind: "list[Result]") -> None:
    """Checks that one thing kept from looking, in one line; they are taken out of the list."""
    if blind:
        names = blind[0].check.name if len(blind) == 1 else f"{len(blind)} checks"
        line = Text.assemble("  ", _MARKS["unknown"], " ", names.ljust(_WIDTH))
        console.print(line.append(f"  not looked at: {blind[0].words}", "dim"))
    blind.clear()


def _show(console: Console, result: "Result") -> None:
    check = result.check
    mark, style = _MARKS[str(result.state)]
    line = Text.assemble("  ", (mark, style), " ", check.name.ljust(_WIDTH))
    if str(result.state) in ("red", "warn"):
        console.print(line.append(f"  {check.code}", style))
        for words in (f"{result.words} {check.reason}", Text.assemble(("→ ", style), check.fix)):
            console.print(Padding(words, (0, 0, 0, _INDENT)))
    elif len(line) + len(result.words) + 2 > console.width:
        console.print(line)
        console.print(Padding(Text(result.words, "dim"), (0, 0, 0, _INDENT)))
    else:
        console.print(line.append(f"  {result.words}", "dim"))


def _sum_up(results: "list[Result]") -> None:
    console = _console()
    count = {state: sum(str(result.state) == state for result in results) for state in _MARKS}
    red = [result for result in results if not result.ok]
    told = [f"{count['green']} green"]
    told += [f"{count[state]} {word}" for state, word in
             (("warn", "to know"), ("red", "red"), ("unknown", "not looked at")) if count[state]]  # fmt: skip
    took = sum(result.seconds for result in results)
    verdict = Text("Not ready", "bold red") if red else Text("Ready", "bold green")
    console.print()
    console.print(Text.assemble(verdict, f": {', '.join(told)}, in {took:.1f} s."))
