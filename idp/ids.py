"""Random identifiers and secrets, digests, and equality that does not tell by its duration."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """A time-ordered UUID of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return uuid.UUID(int=value)


def secret(bits: int = 256) -> str:
    """A random secret of `bits` bits, written in base64url without padding."""
    return secrets.token_urlsafe(bits // 8)


class _Pool:
    """Random bytes in stock: asking the kernel for sixteen takes longer than all else about a name."""

    def __init__(self) -> None:
        self._stock: list[bytes] = []
        self._pid = 0

    def take(self) -> bytes:
        """Sixteen random bytes, handed out once."""
        if self._pid != os.getpid():  # a fork must not hand out what its parent hands out
            self._stock, self._pid = [], os.getpid()
        try:
            return self._stock.pop()
        except IndexError:
            fresh = os.urandom(16 * 256)
            stock = [fresh[at : at + 16] for at in range(0, len(fresh), 16)]
            taken = stock.pop()
            self._stock = stock
            return taken


_pool = _Pool()


def unique() -> str:
    """A random name of 128 bits in base64url: for what has to be unique and is no secret, such as `jti`."""
    return b64(_pool.take())


def digest(value: str | bytes) -> bytes:
    """SHA-256 of a secret of high entropy: what is kept instead of the secret itself."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).digest()


def same(one: str | bytes, other: str | bytes) -> bool:
    """Whether two values are equal, found in a time that does not depend on where they differ."""
    left = one.encode() if isinstance(one, str) else one
    right = other.encode() if isinstance(other, str) else other
    return hmac.compare_digest(left, right)


_URLSAFE = bytes.maketrans(b"+/", b"-_")


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(data, newline=False).translate(_URLSAFE).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes behind base64url without padding.

    Raises ValueError for any character outside the alphabet, for padding, and for an encoding that
    is not the canonical one (so that two texts never mean the same bytes).
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64url") from error
    if b64(data) != text:
        raise ValueError("not canonical base64url")
    return data
