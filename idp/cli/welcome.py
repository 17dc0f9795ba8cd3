"""What `idp up` says once it is ready: where things are, who can sign in, what to try first."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from idp.cli import demo
from idp.config import Settings
from idp.embedded.authority import Certificate

_LABELS = 24
"""Columns before the text of a row, and then some."""


def show(settings: Settings, home: Path, demo_port: int | None, shown: Certificate | None) -> None:
    """Print the table, then the line that scripts wait for. `demo_port`: the provider's, where the demo runs."""
    trust = f"import {shown.authority} as an authority, or curl --cacert {shown.authority}" if shown else ""
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, _LABELS + len(trust))  # what is there to be copied stays one line
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    base = settings.base_url
    table.add_row("Provider", base)
    if demo_port is not None:
        _demo_rows(table, base, demo_port)
    if trust:
        table.add_row("Trust", trust)
    table.add_row("Logs", str(home / "log"))
    console.print()
    console.print(table)
    console.print()
    for line in _first_steps(base, demo_port):
        console.print(Text(line, style="dim"))
    click.echo(f"ready {base}")


def _demo_rows(table: Table, base: str, port: int) -> None:
    relying_party, service = demo.ports(port)
    table.add_row("Demo application", f"http://localhost:{relying_party}")
    table.add_row("Demo service", f"http://localhost:{service}")
    for tenant in demo.tenants():
        table.add_row(f"Tenant {tenant['slug']}", f"{base}/t/{tenant['slug']}")
        for person in tenant.get("users", []):
            if isinstance(person.get("password"), str):
                table.add_row("", f"{person['username']}: {person['password']}")


def _first_steps(base: str, port: int | None) -> list[str]:
    if port is None:
        return [f"Try first: curl {base}/readyz, then idp apply FILE.yaml. Ctrl-C stops everything.", ""]
    first = demo.tenants()[0]
    person = first["users"][0]["username"]
    return [
        f"Try first: open http://localhost:{demo.ports(port)[0]} and sign in as {person}.",
        "Ctrl-C stops everything; the next idp up finds its data again.",
        "",
    ]
