"""`idp routes`: the surface of the web server, as its doors declare it."""

from dataclasses import asdict

import click

from idp.cli import session


@click.command("routes")
@session.options
def command() -> None:
    """List every route with its methods, gate and the credentials it takes."""
    from idp.app import create_app
    from idp.config import Settings
    from idp.web import routes

    table = routes.table(create_app(Settings()))
    width = max(len(route.path) for route in table)
    lines = [
        f"{route.path:<{width}}  {','.join(route.methods):<24}  {route.gate:<7}  {','.join(route.credentials) or '-'}"
        for route in table
    ]
    session.answer([asdict(route) for route in table], "\n".join(lines))
