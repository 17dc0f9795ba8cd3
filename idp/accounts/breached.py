"""Passwords that others have lost already, looked up without a network.

A filter holds a list of any length in some bits an entry: what is in the list is always found, and of what is not one
in a hundred thousand is taken for it. One with common passwords is shipped; `idp passwords build` makes one of a list
of yours, plain or as SHA-1 (Have I Been Pwned), which `IDP_BREACHED_PASSWORDS` names. Where the tenant's policy allows
it the range service is asked as well, with five characters of the digest (k-anonymity); if it is away, it counts as
not found.
"""

import hashlib
import math
import mmap
import struct
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from idp import config, outbound
from idp.logs import log
from idp.tenants import current

MAGIC = b"idp passwords 1\n"
SHIPPED = Path(__file__).with_name("common_passwords.filter")
RANGE = "https://api.pwnedpasswords.com/range/"
_MOST = 4_000_000
_HEAD = struct.Struct(">16sQII")  # magic, bits, probes, entries (at most 2**32 - 1)
RATE = 1e-5


class Filter:
    """A Bloom filter of SHA-1 digests in a file that is mapped, not read."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, ValueError for what is no such file."""
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, self._bits, self._probes, self.entries = _HEAD.unpack_from(self._map)
        if (
            magic != MAGIC
            or not self._bits
            or not self._probes
            or len(self._map) != _HEAD.size + (self._bits + 7) // 8
        ):
            raise ValueError(f"{path} is no filter of passwords")

    def __contains__(self, digest: bytes) -> bool:
        return all(
            self._map[_HEAD.size + at // 8] >> at % 8 & 1 for at in _places(digest, self._bits, self._probes)
        )


def _places(digest: bytes, bits: int, probes: int) -> Iterable[int]:
    one, two = struct.unpack(">QQ", digest[:16])
    return ((one + number * (two | 1)) % bits for number in range(probes))


def build(digests: Iterable[bytes], path: Path, rate: float = RATE) -> int:
    """Write a filter of SHA-1 digests; how many. `rate`: of what is not in it, how much is taken for it."""
    known = digests if isinstance(digests, list) else list(digests)
    bits = max(64, math.ceil(-len(known) * math.log(rate) / math.log(2) ** 2))
    probes = max(1, round(bits / max(1, len(known)) * math.log(2)))
    field = bytearray((bits + 7) // 8)
    for digest in known:
        for at in _places(digest, bits, probes):
            field[at // 8] |= 1 << at % 8
    path.write_bytes(_HEAD.pack(MAGIC, bits, probes, len(known)) + field)
    return len(known)


def digest_of(line: str) -> bytes | None:
    """The digest of a line of a list: a password, or `SHA1` or `SHA1:COUNT` in hexadecimal; None for an empty one."""
    text = line.rstrip("\r\n")
    head = text.partition(":")[0]
    if len(head) == 40 and all(sign in "0123456789abcdefABCDEF" for sign in head):
        return bytes.fromhex(head)
    return _digest(text) if text else None


def _digest(password: str) -> bytes:
    return hashlib.sha1(password.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()


@lru_cache(maxsize=4)
def _opened(path: Path) -> Filter | None:
    try:
        return Filter(path)
    except (OSError, ValueError, struct.error) as problem:
        log(__name__).error("breached.no_filter", path=str(path), cause=type(problem).__name__)
        return None


def known(password: str) -> bool:
    """Whether the password is one that others have lost, as it is or without its capitals."""
    spelled = unicodedata.normalize("NFC", password)
    digests = {_digest(spelled), _digest(spelled.casefold())}
    for path in (SHIPPED, config.settings().breached_passwords):
        found = _opened(path) if path is not None else None
        if found is not None and any(each in found for each in digests):
            return True
    return current().policy.breached_passwords_service and _asked(_digest(spelled))


def _asked(digest: bytes) -> bool:
    """Whether the range service knows the digest, of which it is told five characters."""
    name = digest.hex().upper()
    try:
        document = outbound.get(RANGE + name[:5], ("text/plain",), _MOST)
    except outbound.NotSent as problem:
        log(__name__).warning("breached.service_away", cause=str(problem)[:100])
        return False
    lines = document.body.decode("ascii", "replace").upper().splitlines()
    return any(line.startswith(name[5:] + ":") and not line.endswith(":0") for line in lines)
