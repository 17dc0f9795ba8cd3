"""What operators' commands have in common: `--tenant`, `--set NAME=VALUE`, secrets from files, small tables."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from idp.cli import session

tenant_option = click.option("--tenant", "slug", required=True, metavar="SLUG", help="The tenant.")
limit_option = click.option("--limit", type=click.IntRange(1, 100), default=100, help="At most so many.")
set_option = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE",
    help="Set one field; VALUE is JSON where it can be read so, else text; null puts the default back.",
)  # fmt: skip


@contextmanager
def inside(slug: str) -> Iterator[None]:
    """The deployment with the tenant entered. Raises NotFound."""
    from idp.control import tenants

    with session.deployment(), tenants.enter(slug):
        yield


def fields(settings: Sequence[str]) -> dict[str, Any]:
    """The fields that `--set` gives. Raises click.BadParameter."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, mark, text = setting.partition("=")
        if not mark or not name or name in found:
            raise click.BadParameter(
                f"{setting!r} is not NAME=VALUE, or names a field twice", param_hint="--set"
            )
        found[name] = value(text)
    return found


def value(text: str) -> Any:
    """JSON where the text is JSON, else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def nested(settings: Sequence[str]) -> dict[str, Any]:
    """As `fields`, with `policy.code_lifetime=30` becoming a member of `policy`."""
    found: dict[str, Any] = {}
    for name, given in fields(settings).items():
        group, mark, member = name.partition(".")
        if mark:
            found.setdefault(group, {})[member] = given
        else:
            found[name] = given
    return found


def from_file(path: Path | None) -> str | None:
    """The secret in a file (`-`: standard input), without the line's end. Raises click.ClickException."""
    if path is None:
        return None
    try:
        with click.open_file(str(path), encoding="utf-8") as file:
            text = file.read(8192)
    except (OSError, UnicodeDecodeError) as problem:
        raise click.ClickException(f"{path} cannot be read") from problem
    return str(text).removesuffix("\n").removesuffix("\r")


def table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Callable[[], str]:
    """Rows as columns of words."""

    def words() -> str:
        if not rows:
            return "none"
        cells = [[str(name) for name in names]] + [[_word(row.get(name)) for name in names] for row in rows]
        widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                         for line in cells)  # fmt: skip

    return words


def lines(row: dict[str, Any]) -> Callable[[], str]:
    """One object, a member a line."""
    return lambda: "\n".join(f"{name}: {_word(member)}" for name, member in row.items())


def _word(member: Any) -> str:
    if member is None:
        return "-"
    return member if isinstance(member, str) else json.dumps(member, default=str, ensure_ascii=False)
