"""What lies open that should not: files of keys that others may read, proxies that are half the world."""

import ipaddress
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_WIDEST = {4: 8, 6: 16}
"""Shortest prefix of a network of proxies, by version of IP."""
_OTHERS = 0o037
"""Group may read a ring: that is how orchestrators hand secrets to an unprivileged process."""
_SECRET = (".json", ".key", ".pem")


@dataclass(frozen=True, slots=True)
class Exposed:
    """A folder in which others may replace files, or a file that others may read or change."""

    path: Path
    mode: int
    folder: bool


def of_keys(folder: Path) -> Iterator[Exposed]:
    """What is exposed of the folder of the key ring."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    # In a sticky folder everybody may make files and nobody replace another's.
    if mode & 0o022 and not mode & stat.S_ISVTX:
        yield Exposed(folder, mode, True)
    for file in sorted(folder.iterdir()):
        mode = stat.S_IMODE(file.stat().st_mode)
        if file.is_file() and file.suffix in _SECRET and mode & _OTHERS:
            yield Exposed(file, mode, False)


class Trust(StrEnum):
    """What a text in IDP_TRUSTED_PROXIES is."""

    FINE = "fine"
    NO_NETWORK = "no network"
    EVERYONE = "everyone"


def proxy(text: str) -> Trust:
    """Whether `text` can be the address or network of proxies."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return Trust.NO_NETWORK
    return Trust.EVERYONE if network.prefixlen < _WIDEST[network.version] else Trust.FINE
