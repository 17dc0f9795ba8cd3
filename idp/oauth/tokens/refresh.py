"""Refresh tokens: 256 random bits behind a prefix that secret scanners know, with a checksum.

A successor is derived from the token that was presented, by HMAC under a key of the ring, so that within the
grace it can be given again without ever having been stored.
"""

import hmac
import re
import zlib

from idp.ids import b64, digest, secret
from idp.signing import ring

PREFIX = "idp_rt_"
_INFO = b"refresh-successor"
_SHAPE = re.compile(r"idp_rt_[A-Za-z0-9_-]{43}[0-9a-f]{8}")


def _finished(body: str) -> str:
    return f"{PREFIX}{body}{zlib.crc32(body.encode()):08x}"


def new() -> str:
    """A new refresh token."""
    return _finished(secret())


def wellformed(token: str) -> bool:
    """Whether it could be one of ours: prefix, length, checksum."""
    return bool(_SHAPE.fullmatch(token)) and token == _finished(token[len(PREFIX) : -8])


def successors(token: str) -> list[str]:
    """What may follow `token`, derived under each key of the ring, the newest first."""
    return [
        _finished(b64(hmac.digest(key, token.encode(), "sha256"))) for _, key in ring.ring().derive_all(_INFO)
    ]


def known_successor(token: str, wanted: bytes) -> str | None:
    """The successor whose digest is `wanted`, or None when it was made under a key that has left the ring."""
    return next((each for each in successors(token) if digest(each) == wanted), None)
