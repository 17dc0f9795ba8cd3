"""How the proof runs the product's own commands: the program, and the environment in which it finds the deployment."""

import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from idp import config, paths
from idp.config import Settings
from idp.prove.target import Program

WORDS = (sys.executable, "-P", "-m", "idp.cli")


def program(home: Path | None) -> Program:
    """The commands as this one was called: the same environment, the same folder."""
    return Program(
        [*WORDS, *(["--home", str(home.absolute())] if home else [])], _known(config.environment())
    )


def plain(**more: str) -> dict[str, str]:
    """The environment without any name of ours but `more`."""
    return _known(
        {**{name: value for name, value in config.environment().items() if name[:4] != "IDP_"}, **more}
    )


def scheduled(settings: Settings, *, embedded: bool) -> Program:
    """The commands for the worker, which was given the runtime's addresses alone where the servers are `embedded`."""
    names = ("home", "keys", "domain") if embedded else tuple(field.name for field in fields(settings))
    given = {name: getattr(settings, name) for name in names}
    return Program(
        WORDS, plain(**{f"IDP_{name.upper()}": _text(value) for name, value in given.items() if value})
    )


def _known(environment: dict[str, str]) -> dict[str, str]:
    places = [str(paths.PACKAGE.parent), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(places)}


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
