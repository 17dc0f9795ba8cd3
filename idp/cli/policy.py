"""`idp policy`: what decides, who said so, and which security profile it breaks."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from idp.cli import given, session

if TYPE_CHECKING:
    from idp.control.profiles import Verdict


@click.group("policy")
def command() -> None:
    """Show policies, their sources and defaults; check them against a profile."""


@command.command("show")
@click.option(
    "--tenant", "slug", metavar="SLUG", help="As it holds for this tenant (else the platform's own)."
)
@click.option("--client", "client_id", help="As it holds for this client of the tenant.")
@session.options
def show(slug: str | None, client_id: str | None) -> None:
    """Show each policy: value, source, default and ceiling."""
    from idp.control import policy

    if slug is None:
        if client_id is not None:
            raise click.UsageError("--client needs --tenant: a client belongs to one.")
        rows = [asdict(decided) for decided in policy.platform()]
    else:
        with session.deployment():
            rows = [asdict(decided) for decided in policy.show(slug, client_id)]
    session.answer(rows, given.table(rows, ("name", "value", "unit", "source", "default", "ceiling")))


@command.command("check")
@click.option(
    "--profile", "name", required=True, type=click.Choice(["asvs-l2", "fapi2"]),
    help="OWASP ASVS 5.0 level 2, or the FAPI 2.0 Security Profile.",
)  # fmt: skip
@click.option("--tenant", "slug", metavar="SLUG", help="One tenant (else each).")
@session.options
def check(name: str, slug: str | None) -> None:
    """Name each setting that breaks a security profile; status 1 when there is one.

    What the profile asks and this product does not have at all is told apart, and changes no status.
    """
    from idp.control import profiles

    with session.deployment():
        verdict = profiles.check(profiles.Profile(name), slug)
    content = {"profile": name, "holds": not verdict.breaks, **asdict(verdict)}
    session.answer(content, lambda: _words(name, verdict))
    if verdict.breaks:
        session.no()


def _words(name: str, verdict: "Verdict") -> str:
    rows = [asdict(each) for each in verdict.breaks]
    columns = ("tenant", "of", "policy", "value", "asks", "requirement")
    lines = [given.table(rows, columns)()] if rows else [f"No setting breaks {name}."]
    if verdict.missing:
        what = ", ".join(f"{each.asks} ({each.requirement})" for each in verdict.missing)
        lines.append(f"Missing here, whatever the settings are: {what}.")
    return "\n".join(lines)
