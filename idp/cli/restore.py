"""`idp restore`: a backup into an empty cluster, and what is to be done afterwards."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from idp.cli import proving, session
from idp.prove.promises import Group, NotProved
from idp.prove.target import Program

_AFTER = (
    "What was revoked or used since the backup is good again: run 'idp not-before --all' before anybody is let in, "
    "and empty Redis."
)


@click.command("restore")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--verify", is_flag=True, help="Try the wall, and look at the keys and the audit's chain, afterwards."
)
@click.option(
    "--not-before", "cut", is_flag=True, help="Also let nothing from before count, for every tenant."
)
@session.options
def command(path: Path, verify: bool, cut: bool) -> None:
    """Bring a backup into an empty cluster, all of it or nothing. Status 1 when what came back does not hold."""
    from idp.control import backups, installation, not_before

    servers = session.found().running(postgres_only=not verify, make=True)
    with backups.whole(path) as backup, servers as settings:
        done: dict[str, Any] = asdict(backups.restore(settings, backup))
        if verify or cut:
            with installation.opened(settings):
                done |= {"verified": asdict(backups.verify(settings))} if verify else {}
                done |= not_before.every(session.actor()).described() if cut else {}
        if verify:
            # By its servers' addresses: the folder is this command's own until the end.
            done["proved"] = _proved(proving.scheduled(settings, embedded=False))
    session.answer(done, lambda: _words(done, cut))
    if verify and (done["verified"]["wrong"] or not done["proved"]["holds"]):
        session.no()


def _proved(program: Program) -> dict[str, Any]:
    """What the proof says of the restored database; what needs a server is proved once one runs."""
    from idp.prove import run

    try:
        proof = run.prove(
            program, (Group.CATALOGUE, Group.RUNTIME_ROLE), lambda line: click.echo(f"… {line}", err=True)
        )
    except NotProved as problem:
        return {"holds": False, "tried": 0, "found": [str(problem)]}
    return {
        "holds": proof.holds,
        "tried": sum(outcome.tally.tried for outcome in proof.outcomes),
        "found": [sentence for outcome in proof.outcomes for sentence in outcome.tally.found],
    }


def _words(done: dict[str, Any], cut: bool) -> str:
    lines = [f"{done['rows']} rows of {done['taken_at']} are back, at schema {done['schema']}."]
    if done["behind"]:
        lines.append(
            f"The cluster counts {done['behind']} transactions less than the audit that it holds, which is not sealed "
            "on until it has caught up: stop it and run pg_resetwal --next-transaction-id."
        )
    if "verified" in done:
        seen = done["verified"]
        lines += seen["wrong"] or [
            f"The wall stands ({seen['rules']} rules), {seen['keys']} keys of {seen['tenants']} tenants open, every "
            "audit chain is whole."
        ]
    if "proved" in done:
        tried = f"No row of a tenant was reached by another ({done['proved']['tried']} attempts)"
        lines += done["proved"]["found"] or [f"{tried}; idp prove tries the rest once the server runs."]
    lines.append(f"Nothing from before {done['not_before']} counts; empty Redis." if cut else _AFTER)
    return "\n".join(lines)
