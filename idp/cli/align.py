"""`idp align`: the fingerprint of this environment, and where it differs from that of another."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import session

if TYPE_CHECKING:
    from idp.control.alignment.differences import Difference

_LONGEST = 160
_OUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
_IN = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@click.command("align")
@click.option("--export", "out", type=_OUT, metavar="FILE", help="Write the fingerprint of this environment.")
@click.option("--against", type=_IN, metavar="FILE", help="Compare with the fingerprint of another one.")
@click.option("--all", "every", is_flag=True, help="Show also what is expected to differ.")
@session.options
def command(out: Path | None, against: Path | None, every: bool) -> None:
    """Say where two environments differ, and which differences matter; status 1 when one does.

    A fingerprint holds no secret and nothing of any person; - stands for standard input and output.
    """
    if (out is None) == (against is None):
        raise click.UsageError(
            "Give --export FILE to write a fingerprint, or --against FILE to compare with one."
        )
    if out is not None:
        _export(out)
    elif against is not None:
        _compare(against, every)


def _export(out: Path) -> None:
    from idp.control.alignment import fingerprint

    with session.deployment() as settings:
        text = fingerprint.text(fingerprint.taken(settings))
    try:
        with click.open_file(str(out), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise click.ClickException(f"{out} cannot be written") from problem


def _compare(against: Path, every: bool) -> None:
    from idp.control.alignment import differences, fingerprint
    from idp.control.alignment.levels import Level

    try:
        with click.open_file(str(against), encoding="utf-8") as file:
            there = fingerprint.read(file.read(fingerprint.LARGEST + 1))
    except (OSError, UnicodeDecodeError) as problem:
        raise click.ClickException(f"{against} cannot be read") from problem
    with session.deployment() as settings:
        found = differences.between(fingerprint.taken(settings), there)
    matter = [each for each in found if each.level is not Level.EXPECTED]
    content = {"alike": not matter, "differences": [asdict(each) for each in found]}
    session.answer(content, lambda: _words(found if every else matter, len(matter), len(found)))
    if matter:
        session.no()


def _words(shown: list["Difference"], matter: int, found: int) -> str:
    lines = []
    for each in shown:
        lines.append(f"{each.level:<8}  {each.path}")
        lines += [f"          here: {_value(each.here)}", f"          there: {_value(each.there)}"]
        lines.append(f"          {each.why} {each.change}")
    expected = f"{found - matter} differences are expected of two environments"
    verdict = f"{matter} differences matter" if matter else "The environments are alike"
    return "\n".join([*lines, f"{verdict}; {expected}."])


def _value(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
