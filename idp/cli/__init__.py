"""The command `idp`: one module a command, loaded when it is called.

Owns words, options and exit codes; decides nothing. A command is the attribute `command` of the module
that the table names. JSON goes to standard output, words to standard error. Exit status: 0 done,
1 the answer is no, 2 could not be done.
"""

import importlib
import re
import sys
from typing import Any

import click

from idp import __version__
from idp.cli import session
from idp.config import ConfigError, environment
from idp.embedded import NotPossible
from idp.errors import Refusal
from idp.prove.promises import NotProved

_LOGIN = re.compile(r"://[^\s/]+@")

COMMANDS = {
    "up": ("up", "Run everything here: servers, web, worker, demo."),
    "env": ("env", "Show how this deployment is reached."),
    "migrate": ("migrate", "Bring the schema to its head."),
    "backup": ("backup", "Write every row to a file, without the key ring."),
    "restore": ("restore", "Bring a backup into an empty cluster."),
    "serve": ("serve", "Run the web server."),
    "worker": ("worker", "Run the background work."),
    "apply": ("apply", "Make the database match a blueprint."),
    "diff": ("diff", "Show where the database differs from a blueprint."),
    "tenant": ("tenant", "Create, list, show, update, suspend, delete tenants."),
    "user": ("user", "The same for a tenant's people."),
    "client": ("client", "The same for a tenant's applications."),
    "application": ("application", "The same for applications that many tenants have."),
    "upstream": ("upstream", "The same for providers with which a tenant's people may sign in."),
    "mail": ("mail", "Who sends a tenant's messages, what they look like, a test."),
    "registration": (
        "registration",
        "Issue, list, revoke the tokens with which applications register themselves.",
    ),
    "claims": ("claims", "Preview what a client is told about a person."),
    "policy": ("policy", "Show policies, their sources and defaults; check them against a profile."),
    "keys": ("keys", "List, rotate, revoke signing keys."),
    "not-before": ("not_before", "Let nothing count that was issued until now."),
    "passwords": ("passwords", "Make a filter of stolen passwords."),
    "outbox": ("outbox", "Show what waits to be delivered, and try again what was given up."),
    "routes": ("routes", "List every route, its gate and credentials."),
    "explain": ("explain", "Say why a request was refused."),
    "explain-token": ("explain_token", "Say why a service refuses a token."),
    "audit": ("audit", "Show and verify what was recorded."),
    "ready": ("ready", "Say whether this deployment may go on, by four gates."),
    "prove": ("prove", "Prove on the running deployment that no tenant reaches another."),
    "doctor": ("doctor", "Show where configuration and truth differ."),
    "align": ("align", "Show where two environments differ, and what of it matters."),
    "report": ("report", "Show and verify reports of proofs."),
    "context": ("context", "Sign tenant contexts for the canaries of a proof."),
}


class Table(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name that has its module, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command behind a name; None for a name that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        found = importlib.import_module(f"idp.cli.{COMMANDS[cmd_name][0]}").command
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table itself, without importing any of it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


@click.group(cls=Table, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="idp")
@session.options
def idp() -> None:
    """A multi-tenant OpenID Connect provider."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its status."""
    sys.exit(status(arguments))


def status(arguments: list[str] | None = None) -> int:
    """Run one command in this process; its exit status. Refusals become one sentence on standard error."""
    try:
        result: Any = idp.main(args=arguments, prog_name="idp", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return 130
    except Refusal as error:
        return _fail(error.description)
    except (ConfigError, NotPossible, NotProved) as error:
        return _fail(str(error))
    except Exception as error:
        if environment().get("IDP_LOG_LEVEL") == "DEBUG":
            raise
        first = (str(error).strip().splitlines() or ["no reason given"])[0]
        words = _LOGIN.sub("://…@", first)
        return _fail(f"{type(error).__name__}: {words} (IDP_LOG_LEVEL=DEBUG shows where).")
    return result if isinstance(result, int) else 0


def _fail(sentence: str) -> int:
    click.echo(f"idp: {sentence}", err=True)
    return 2
