"""The oldest versions of libraries that this release asks for, and those that are installed."""

import re
from functools import cache
from importlib import metadata

_FLOOR = re.compile(r"^([A-Za-z0-9._-]+)[^;]*?>=\s*([0-9][0-9A-Za-z.]*)")
_OWN = "idp"


@cache
def floors() -> dict[str, str]:
    """The floor of each required library by name, as this release's own metadata says."""
    wanted = (_FLOOR.match(line) for line in metadata.requires(_OWN) or () if "extra ==" not in line)
    return {found[1]: found[2] for found in wanted if found is not None}


def below_floor() -> list[str]:
    """Each library that is older than its floor, in words."""
    found = []
    for name, floor in floors().items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an optional one, such as the embedded servers in the image
        if numbers(installed) < numbers(floor):
            found.append(f"{name} is {installed}, and this release needs {floor}")
    return found


def numbers(version: str) -> tuple[int, ...]:
    """The release part of a version, without trailing zeros, for comparing."""
    parts = [int(part) for part in re.match(r"[0-9.]*", version)[0].strip(".").split(".") if part]  # type: ignore[index]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)
