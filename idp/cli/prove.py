"""`idp prove`: the proof against the running deployment, by a stranger to it."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp import config, paths
from idp.cli import session
from idp.prove.promises import Group

if TYPE_CHECKING:
    from idp.prove.run import Proof
    from idp.prove.target import Program

_SHOWN = 10
"""Findings of one promise that the terminal shows."""


@click.command("prove")
@click.option("--only", "groups", multiple=True, type=click.Choice([str(each) for each in Group]),
              help="One group of promises; may be given several times.")  # fmt: skip
@click.option("--json", "json_file", is_flag=False, flag_value="-", metavar="[FILE]",
              type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
              help="The report in JSON, to FILE or to standard output.")  # fmt: skip
@session.home_option
def command(groups: tuple[str, ...], json_file: Path | None) -> None:
    """Prove on the running deployment that no tenant reaches another; status 1 when one does."""
    from idp.prove import run

    wanted = [Group(each) for each in groups]
    proof = run.prove(_program(), wanted, lambda line: click.echo(f"… {line}", err=True))
    report = _kept(proof, whole=not groups)
    if json_file is not None:
        with click.open_file(str(json_file), "w", encoding="utf-8") as file:
            file.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    click.echo(_words(proof), err=True)
    if not proof.holds:
        session.no()


def _kept(proof: "Proof", *, whole: bool) -> dict[str, Any]:
    """The report, signed; one of every promise is kept as the last proof."""
    from idp.control import proofs
    from idp.prove import run

    with session.deployment():
        report = proofs.signed(run.content(proof))
        if whole:
            proofs.keep(report)
    return report


def _program() -> "Program":
    from idp.prove.target import Program

    environment = config.environment()
    home = session.current().home
    words = [sys.executable, "-P", "-m", "idp.cli", *(["--home", str(home.absolute())] if home else [])]
    known = [str(paths.PACKAGE.parent), *filter(None, [environment.get("PYTHONPATH")])]
    return Program(words, {**environment, "PYTHONPATH": os.pathsep.join(known)})


def _words(proof: "Proof") -> str:
    lines = []
    for outcome in proof.outcomes:
        tally = outcome.tally
        lines.append(
            f"{'holds ' if outcome.kept else 'BROKEN'}  {outcome.promise.sentence} ({tally.tried} tried)"
        )
        found = tally.found or ([] if outcome.kept else ["nothing was tried"])
        lines += [f"        {sentence}" for sentence in found[:_SHOWN]]
        lines += [f"        and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        lines += [f"        not looked at: {note}" for note in tally.notes]
    tried = sum(outcome.tally.tried for outcome in proof.outcomes)
    verdict = "Every promise holds" if proof.holds else "A PROMISE IS BROKEN"
    return "\n".join(
        [
            *lines,
            f"{verdict}: {tried} attempts on {proof.base_url} in {proof.seconds:.1f} s, idp {proof.version}.",
        ]
    )
