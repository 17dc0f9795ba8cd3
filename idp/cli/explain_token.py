"""`idp explain-token`: which check of a token fails, with what was expected and what was there."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from idp.cli import session

if TYPE_CHECKING:
    from idp.control.explained.token import Explanation, Step

_LONGEST = 70_000
_MARKS = {"ok": "ok       ", "failed": "FAILED   ", "not tried": "not tried"}


@click.command("explain-token")
@click.argument("token", required=False)
@click.option("--audience", metavar="AUD", help="What the service expects in aud.")
@click.option("--typ", metavar="TYP", help="The header type that the service expects.")
@click.option("--issuer", metavar="URL", help="The issuer that the service was told.")
@session.options
def command(token: str | None, audience: str | None, typ: str | None, issuer: str | None) -> None:
    """Say why a service refuses TOKEN; without it, or for -, the token is read from standard input.

    Other people of this machine can see arguments: standard input is the better way. Status 0 when the token is
    good, 1 when it is not.
    """
    from idp.control.explained.token import Expected, explain

    if token is None or token == "-":
        with click.open_file("-", errors="replace") as given:
            token = given.read(_LONGEST)
    with session.deployment():
        told = explain(token, Expected(audience, typ, issuer))
    session.answer(_content(told), lambda: _words(told))
    if not told.valid:
        session.no()


def _content(told: "Explanation") -> dict[str, Any]:
    content = asdict(told)
    content["checks"] = content.pop("steps")
    return content


def _words(told: "Explanation") -> str:
    whose = f" of {told.tenant} ({told.issuer})" if told.tenant else ""
    lines = [
        f"This is {_article(told.kind)} {told.kind}{whose}." if told.kind != "no JWT" else "This is no JWT."
    ]
    width = max(len(step.check) for step in told.steps)
    for step in told.steps:
        lines.append(f"  {_MARKS[step.verdict]}  {step.check:<{width}}  {_plain(step.why)}".rstrip())
        lines += _values(step, width)
    lines += [f"  {_plain(note)}" for note in told.notes]
    lines.append("It is good." if told.failed is None else f"It is refused by {told.failed.rule}.")
    return "\n".join(lines)


def _article(kind: str) -> str:
    return "an" if kind[0] in "aI" else "a"


def _values(step: "Step", width: int) -> list[str]:
    """What was expected and what was there, below a failure."""
    if step.verdict != "failed":
        return []
    pairs = (("expected", step.expected), ("got", step.got))
    return [f"  {'':9}  {'':{width}}  {name}: {_value(value)}" for name, value in pairs if value is not None]


def _value(value: Any) -> str:
    """A value that somebody else chose, in ASCII, so that it cannot steer the terminal."""
    return json.dumps(value, default=str)[:400]


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
