"""Where the files lie that are not code: beside the package in a wheel, at the top of a checkout."""

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


@cache
def checkout() -> Path | None:
    """The top of the checkout this code runs from, or None when it runs from an installed wheel."""
    top = PACKAGE.parent
    return top if (top / "setup.cfg").is_file() and (top / "templates").is_dir() else None


def _folder(name: str) -> Path:
    mapped = PACKAGE / f"_{name}"
    return mapped if mapped.is_dir() else PACKAGE.parent / name


def templates() -> Path:
    """The folder of the page templates."""
    return _folder("templates")


def static() -> Path:
    """The folder of style sheets, scripts and images."""
    return _folder("static")


def migrations() -> Path:
    """The folder of the Alembic revisions."""
    return _folder("migrations")


def examples() -> Path:
    """The folder of the examples: the demo blueprint, the relying party, the resource server."""
    return _folder("examples")
