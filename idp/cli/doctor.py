"""`idp doctor`: what configuration says against what is true."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from idp import config
from idp.cli import https, session
from idp.config import ConfigError

if TYPE_CHECKING:
    from idp.control.doctor.finding import Result

_MARKS = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "error": ("✗", "bold red"),
    "not tried": ("–", "dim"),
}


_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@click.command("doctor")
@click.option("--via", metavar="HOST:PORT", help="Connect there instead of to the base URL's host and port.")
@click.option("--mail", is_flag=True, help="Look at what the DNS says of the sender of messages instead.")
@click.option(
    "--tenant", "slug", metavar="SLUG", help="With --mail: whoever sends the messages of this tenant."
)
@click.option("--selector", metavar="NAME", help="With --mail: the name of the DKIM key of your mail server.")
@click.option("--resolver", metavar="HOST:PORT", help="With --mail: the DNS server to ask.")
@session.options
def command(
    via: str | None, mail: bool, slug: str | None, selector: str | None, resolver: str | None
) -> None:
    """Say where configuration and truth differ, and which line to change; status 1 when they do.

    Looks at environment, files, Postgres, Redis, DNS, certificates, and at what the running provider answers. With
    --mail at SPF, DKIM, DMARC, MX and PTR of whoever sends messages.
    """
    if (slug or selector or resolver) and not mail:
        raise click.UsageError("--tenant, --selector and --resolver belong to --mail.")
    place, asked = _place(via, "--via"), _place(resolver, "--resolver")
    results = list(_mail(slug, selector, asked) if mail else _results(place))
    findings = [finding for result in results for finding in result.findings]
    content = {"well": not findings, "examinations": [_content(result) for result in results]}
    if session.current().json:
        session.answer(content)
    else:
        _show(results)
    if findings:
        session.no()


def _place(given: str | None, option: str) -> tuple[str, int] | None:
    if given is None:
        return None
    host, mark, port = given.rpartition(":")
    if not (mark and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise click.BadParameter("must be HOST:PORT", param_hint=option)
    return host.strip("[]"), int(port)


def _results(via: tuple[str, int] | None) -> Iterable["Result"]:
    """What was found; a setting that cannot be read at all is a finding, and then nothing else is tried."""
    from idp import audit, logs
    from idp.control.doctor import run

    given = config.environment()
    https.trust(session.current().home)
    deployment = session.found()
    try:
        deployment.settings()
    except ConfigError as problem:
        return run.unreadable(problem)
    with deployment.running() as settings, audit.acting(session.actor()):
        logs.setup("ERROR")
        port = deployment.folder.state().get("port") if deployment.up else None
        return list(run.examined(settings, given, serving=port, via=via))


def _mail(slug: str | None, selector: str | None, resolver: tuple[str, int] | None) -> Iterable["Result"]:
    from idp.control.doctor import run

    if selector is not None and not _SELECTOR.fullmatch(selector):
        raise click.BadParameter("must be a name in the DNS.", param_hint="--selector")
    if slug is not None:
        with session.deployment() as settings:
            return list(run.mail(settings, selector, resolver, slug))
    with session.found().running() as settings:
        return list(run.mail(settings, selector, resolver))


def _state(result: "Result") -> str:
    levels = {str(finding.level) for finding in result.findings}
    for level in ("error", "warning"):
        if level in levels:
            return level
    return "not tried" if result.not_tried else "ok"


def _content(result: "Result") -> dict[str, Any]:
    return {**asdict(result), "state": _state(result)}


def _show(results: list["Result"]) -> None:
    """The examinations, one a line, with their findings below them."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for result in results:
        mark, style = _MARKS[_state(result)]
        console.print(Text(f" {mark} ", style), Text(result.title, "dim" if mark == "–" else ""), sep="")
        for finding in result.findings:
            colour = _MARKS[str(finding.level)][1]
            console.print(
                Text("     "), Text(_plain(finding.cause)), Text(f"  {finding.code}", colour), sep=""
            )
            console.print(Text(f"     {_plain(finding.where)}: {_plain(finding.change)}", "dim"))
        if result.not_tried:
            console.print(Text(f"     not tried: {_plain(result.not_tried)}", "dim"))
    console.print(Text(_verdict(results), "bold"))


def _verdict(results: list["Result"]) -> str:
    levels = [str(finding.level) for result in results for finding in result.findings]
    errors, warnings = levels.count("error"), levels.count("warning")
    skipped = sum(result.not_tried is not None for result in results)
    if not levels:
        said = "Configuration and truth agree"
    else:
        said = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
    return f"{said}; {_count(len(results) - skipped, 'examination')} made, {skipped} not tried."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _plain(text: str) -> str:
    """Text of others without what steers a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
