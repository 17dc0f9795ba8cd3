"""What every command shares: which deployment, who acts, and in which form to answer.

A command that needs the database is written so:

    @click.command("list")
    @session.options                      # adds --home, --json, --as, --reason
    def command() -> None:
        with session.deployment() as settings:       # servers answer, vault open, actor entered
            rows = control.tenants.list_(session.actor())
        session.answer([asdict(row) for row in rows], words="…")
"""

import getpass
import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from idp import config
from idp.config import Settings
from idp.embedded.deployment import Deployment, find

if TYPE_CHECKING:
    from idp.audit import Actor

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """The options that may stand before or after a command's name."""

    home: Path | None = None
    json: bool = False
    as_: str | None = None
    reason: str | None = None
    deployment: Deployment | None = None


_SHARED = (
    (("--home",), "home", "The folder of the deployment (else IDP_HOME, else .idp).", False),
    (("--json",), "json", "Answer in JSON.", True),
    (("--as", "as_"), "as_", "Who acts, for the audit (else the system user and host).", False),
    (("--reason",), "reason", "Why, for the audit.", False),
)


def options(function: Decorated) -> Decorated:
    """Add `--home --json --as --reason`; their values are read through this module, not as arguments."""
    return _with(function, "home", "json", "as_", "reason")


def home_option(function: Decorated) -> Decorated:
    """Add `--home` alone, for a command that changes nothing of its own and answers in its own forms."""
    return _with(function, "home")


def _with(function: Decorated, *wanted: str) -> Decorated:
    for names, field, words, flag in reversed([each for each in _SHARED if each[1] in wanted]):
        kind: Any = click.Path(path_type=Path) if field == "home" else None
        function = click.option(
            *names,
            help=words,
            is_flag=flag,
            type=kind,
            default=None,
            expose_value=False,
            callback=_keeper(field),
        )(function)
    return function


def _keeper(field: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(_of(ctx), field, value)

    return keep


def current() -> Session:
    """The session of the command that runs."""
    return _of(click.get_current_context())


def _of(ctx: click.Context) -> Session:
    root = ctx.find_root()
    if not isinstance(root.obj, Session):
        root.obj = Session()
    return root.obj


def found() -> Deployment:
    """The deployment that this command is about, running or stopped; nothing is started.

    From then on the environment holds no secrets any more: what needs them has them from here.
    """
    mine = current()
    if mine.deployment is None:
        mine.deployment = find(mine.home)
        config.forget()
    return mine.deployment


@contextmanager
def deployment() -> Iterator[Settings]:
    """The settings of the deployment with its servers answering and vault, ring and directory open.

    Embedded servers that do not run are started for the block and stopped after it. The actor of the command
    is the one who acts inside. Raises NotPossible, ConfigError.
    """
    from idp import audit, logs
    from idp.control import installation

    with found().running() as settings:
        logs.setup("ERROR")
        with installation.opened(settings), audit.acting(actor()):
            yield settings


def actor() -> "Actor":
    """Who acts: `--as`, else the system user and host; with `--reason`."""
    from idp.audit import Actor

    mine = current()
    return Actor("operator", mine.as_ or f"{_user()}@{socket.gethostname()}", reason=mine.reason)


def answer(content: Any, words: str | Callable[[], str] | None = None) -> None:
    """`content` as JSON on standard output with `--json`; else `words` on standard error, JSON where there are none."""
    if current().json or words is None:
        click.echo(json.dumps(content, indent=2, default=str, ensure_ascii=False))
    else:
        click.echo(words() if callable(words) else words, err=True)


def no() -> None:
    """End the command with the status for "the answer is no"."""
    sys.exit(1)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
