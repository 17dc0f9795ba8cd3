"""`idp prove`: the proof against the running deployment, by a stranger to it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import https, proving, session
from idp.prove.promises import Group
from idp.prove.target import Program

if TYPE_CHECKING:
    from idp.prove.mutants import Verdict
    from idp.prove.run import Proof

_SHOWN = 10
"""Findings of one promise that the terminal shows."""


@click.command("prove")
@click.option("--only", "groups", multiple=True, type=click.Choice([str(each) for each in Group]),
              help="One group of promises; may be given several times.")  # fmt: skip
@click.option("--json", "json_file", is_flag=False, flag_value="-", metavar="[FILE]",
              type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
              help="The report in JSON, to FILE or to standard output.")  # fmt: skip
@click.option("--html", "html_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="The report as a self-contained page, to FILE.")  # fmt: skip
@click.option("--mutants", "breaks", is_flag=True,
              help="Also break a scratch copy in many ways, and demand that the proof notices each.")  # fmt: skip
@click.option("--shadow", metavar="URL",
              help="A superuser's URL of a copy at the same head, to be broken instead of a scratch one.")  # fmt: skip
@session.home_option
def command(
    groups: tuple[str, ...], json_file: Path | None, html_file: Path | None, breaks: bool, shadow: str | None
) -> None:
    """Prove on the running deployment that no tenant reaches another; status 1 when one does."""
    from idp.prove import page, run

    https.trust(session.current().home)
    wanted = [Group(each) for each in groups]
    for file in (json_file, html_file):
        _writable(file)  # said before a minute of work, and not after it
    verdicts = (
        _mutants(shadow) if breaks or shadow else ()
    )  # first: a machine without servers says so at once
    proof = replace(run.prove(_program(), wanted, _tell), mutants=verdicts)
    report = _kept(proof, whole=not groups)
    click.echo(_words(proof), err=True)
    if json_file is not None:
        _write(json_file, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if html_file is not None:
        _write(html_file, page.render(report))
    if not proof.holds:
        session.no()


def _writable(path: Path | None) -> None:
    try:
        if path is not None and str(path) != "-":
            with path.open("a", encoding="utf-8"):
                pass
    except OSError as problem:
        raise click.ClickException(f"{path} cannot be written: {problem.strerror}") from None


def _write(path: Path, text: str) -> None:
    try:
        with click.open_file(str(path), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise click.ClickException(f"{path} cannot be written: {problem.strerror}") from None


def _tell(line: str) -> None:
    click.echo(f"… {line}", err=True)


def _mutants(shadow: str | None) -> "tuple[Verdict, ...]":
    """What the proof noticed of everything that was broken; never on the deployment itself."""
    from idp.embedded import scratch
    from idp.prove import mutants

    if shadow is not None:
        live = _program().json("env", "--show-secrets")["database_url"]
        return mutants.run(mutants.Scratch(shadow, live_url=live), _tell)
    _tell("making a scratch deployment for the mutants")
    with scratch.servers() as environment:
        known = proving.plain(**environment)
        Program(proving.WORDS, known)("migrate")
        return mutants.run(mutants.Scratch(scratch.superuser(environment), known), _tell)


def _program() -> Program:
    return proving.program(session.current().home)


def _kept(proof: "Proof", *, whole: bool) -> dict[str, Any]:
    """The report, signed; one of every promise is kept as the last proof, and so is one that found something.

    That it holds is only said of the whole; that it does not is true of any part.
    """
    from idp.control import proofs
    from idp.prove import run

    with session.deployment():
        report = proofs.signed({**run.content(proof), "whole": whole})
        if whole or not proof.kept:
            proofs.keep(report)
    return report


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
    lines += [_line(verdict) for verdict in proof.mutants]
    killed = sum(verdict.killed for verdict in proof.mutants)
    broken = f" {killed} of {len(proof.mutants)} mutants were noticed." if proof.mutants else ""
    tried = sum(outcome.tally.tried for outcome in proof.outcomes)
    verdict = "Every promise holds" if proof.kept else "A PROMISE IS BROKEN"
    return "\n".join(
        [
            *lines,
            f"{verdict}: {tried} attempts on {proof.base_url} in {proof.seconds:.1f} s, idp {proof.version}.{broken}",
        ]
    )


def _line(verdict: "Verdict") -> str:
    noticed = ", ".join(verdict.noticed) or "by nothing"
    return f"{'noticed ' if verdict.killed else 'SURVIVED'}  {verdict.name} ({noticed})"
