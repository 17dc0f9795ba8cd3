"""`idp migrate`: the schema to its head, as idp_migrator; roles first where a superuser's URL is given."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from idp.cli import session

if TYPE_CHECKING:
    from idp.control.migrations import Trial
    from idp.store.plan import Revision


@click.command("migrate")
@click.option(
    "--print-roles",
    type=click.Choice(["superuser", "managed"]),
    help="Print the SQL that makes the roles, for a superuser or for a managed service, and do nothing.",
)
@click.option(
    "--plan", "plan", is_flag=True, help="Say what is pending, what it locks, how long; do nothing."
)
@click.option(
    "--check", "check", is_flag=True, help="Run what is pending on a copy, and look at the wall there."
)
@click.option(
    "--shadow", metavar="URL", help="A superuser's URL of an empty cluster for the copy of --check."
)
@session.options
def command(print_roles: str | None, plan: bool, check: bool, shadow: str | None) -> None:
    """Bring the schema to its head."""
    if print_roles:
        from idp.control import installation

        click.echo(installation.roles_sql(print_roles), nl=False)
    elif plan or check or shadow:
        _look(plan, check or shadow is not None, shadow)
    else:
        _migrate()


def _migrate() -> None:
    with session.found().running(postgres_only=True) as settings:
        from idp.control import installation

        fresh = installation.make_roles(settings, installation.passwords_of(settings))
        done = installation.upgrade(settings, fresh=fresh)
    session.answer(
        {"before": done.before, "after": done.after},
        f"The schema is at {done.after}."
        if done.before == done.after
        else f"The schema went from {done.before or 'nothing'} to {done.after}.",
    )


def _look(plan: bool, check: bool, shadow: str | None) -> None:
    """Say what is pending, and try it where that was asked for; status 1 when the wall does not stand there."""
    from idp.control import migrations

    with session.found().running(postgres_only=True) as settings:
        pending = migrations.pending(settings) if plan or not check else ()
        trial = (
            migrations.tried(settings, shadow, lambda line: click.echo(f"… {line}", err=True))
            if check
            else None
        )
    found = {"pending": [_told(each) for each in pending]} if plan else {}
    session.answer(
        {**found, **({"trial": asdict(trial)} if trial else {})},
        lambda: "\n".join([*(_planned(pending) if plan else []), *(_tried(trial) if trial else [])]),
    )
    if trial and trial.wrong:
        session.no()


def _told(revision: "Revision") -> dict[str, object]:
    steps = [
        {"statement": step.statement, "lock": step.effect.lock, "table": step.effect.table,
         "work": step.effect.work, "rows": step.rows, "bytes": step.size, "seconds": round(step.seconds, 1)}
        for step in revision.steps
    ]  # fmt: skip
    return {"revision": revision.revision, "title": revision.title, "steps": steps}


def _planned(pending: "tuple[Revision, ...]") -> list[str]:
    lines = [] if pending else ["Nothing is pending."]
    for revision in pending:
        lines.append(f"{revision.revision}  {revision.title}")
        for step in revision.steps:
            lines += [f"    {line}" for line in step.statement.splitlines()[:8]]
            found = step.effect
            lock = f"{found.lock} on {found.table} ({step.rows} rows)" if found.lock else "no lock"
            lines.append(f"        {lock}; work: {found.work}; about {step.seconds:.1f} s")
    return lines


def _tried(trial: "Trial") -> list[str]:
    lines = [f"Tried on a copy of {trial.rows} rows:"]
    for seen in trial.seen:
        locks = ", ".join(f"{mode} on {table}" for table, mode in seen.locks) or "no new lock"
        anew = f"; WRITTEN ANEW: {', '.join(seen.rewritten)}" if seen.rewritten else ""
        lines.append(
            f"    {seen.revision}  {seen.statement.splitlines()[0]}: {locks}{anew}; {seen.seconds:.2f} s"
        )
    return lines + (trial.wrong or ["The wall stands on the copy afterwards."])
