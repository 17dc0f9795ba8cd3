"""Password hashes that other systems made: read strictly, verified once, replaced by ours at the next sign-in.

Each scheme is a way to write a hash and a function that verifies it. What would cost more than half a second is
refused when it is brought in. bcrypt and salted SHA are here for imports alone: nothing new is ever hashed so.
"""

import hashlib
import re
from base64 import b64decode, urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest

import bcrypt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from idp.errors import Invalid

LONGEST = 1_024
"""Characters of a hash that is looked at."""
BCRYPT_BYTES = 72
"""Of a password, as many as bcrypt has ever read."""
_MEMORY = 64 * 1024 * 1024
_MOST = {"cost": 13, "i": 1_200_000, "work": 1 << 20}
_SHORTEST, _LONGEST_DIGEST = 16, 128

_PHC = re.compile(r"\$(pbkdf2(?:-sha1|-sha256|-sha512)?|scrypt)\$([a-z0-9=,]+)\$([^$]*)\$([^$]+)")
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_DJANGO = re.compile(r"pbkdf2_(sha1|sha256)\$(\d{1,9})\$([^$]*)\$([^$]+)")
_DJANGO_SCRYPT = re.compile(r"scrypt\$(\d{1,9})\$([^$]*)\$(\d{1,3})\$(\d{1,3})\$([^$]+)")
_FIREBASE = re.compile(r"\$firebase-scrypt\$m=(\d{1,2}),r=(\d{1,2})\$([^$]*)\$([^$]*)\$([^$]+)\$([^$]+)")
_SALTED_SHA = re.compile(r"\{SSHA(256|384|512)?\}(.+)")

Verify = Callable[[bytes], bool]


class _Unreadable(ValueError):
    """What is wrong with a hash, in a few words."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a hash is written, and what reads it: the match becomes a function from a password to the answer."""

    name: str
    form: re.Pattern[str]
    read: Callable[[re.Match[str]], Verify]


def verifier(encoded: str) -> Verify | None:
    """The function that verifies a hash of a scheme that is known here, or None. Raises Invalid for a bad one."""
    if len(encoded) > LONGEST:
        return None
    for scheme in SCHEMES:
        found = scheme.form.fullmatch(encoded)
        if found is not None:
            try:
                return scheme.read(found)
            except (ValueError, NotBase64) as problem:
                raise Invalid(
                    f"password_hash is no usable {scheme.name} hash: {problem}.", rule="password_hash.format"
                ) from None
    return None


def _bcrypt(found: re.Match[str]) -> Verify:
    _within("cost", int(found[1]))
    encoded = found[0].encode()
    return lambda password: b"\0" not in password and bcrypt.checkpw(password[:BCRYPT_BYTES], encoded)


def _phc(found: re.Match[str]) -> Verify:
    if found[1] == "scrypt":
        given = _numbers(found[2], {"ln", "r", "p"})
        if not 1 <= given["ln"] <= 24:
            raise _Unreadable("ln is out of bounds")
        return _scrypt(1 << given["ln"], given["r"], given["p"], _bytes(found[3]), _bytes(found[4]))
    rounds = found[2] if found[2].isdigit() else str(_numbers(found[2], {"i"})["i"])
    kind = found[1].partition("-")[2] or "sha1"
    return _pbkdf2(kind, int(rounds), _bytes(found[3]), _bytes(found[4]))


def _django(found: re.Match[str]) -> Verify:
    return _pbkdf2(found[1], int(found[2]), found[3].encode(), _bytes(found[4]))


def _django_scrypt(found: re.Match[str]) -> Verify:
    return _scrypt(int(found[1]), int(found[3]), int(found[4]), found[2].encode(), _bytes(found[5]))


def _firebase(found: re.Match[str]) -> Verify:
    """Of a project's own scrypt: m, r, then its salt separator, signer key, the person's salt and hash."""
    separator, signer, salt, wanted = (_bytes(part) for part in found.groups()[2:])
    if len(wanted) != len(signer) or not 1 <= int(found[1]) <= 24:
        raise _Unreadable("the hash is not as long as the signer key")
    derive = _derived(1 << int(found[1]), int(found[2]), 1, salt + separator, 64)

    def verify(password: bytes) -> bool:
        made = Cipher(algorithms.AES(derive(password)[:32]), modes.CTR(bytes(16))).encryptor()
        return compare_digest(made.update(signer) + made.finalize(), wanted)

    return verify


def _salted_sha(found: re.Match[str]) -> Verify:
    kind = f"sha{found[1] or 1}"
    whole, size = _bytes(found[2]), hashlib.new(kind).digest_size
    if len(whole) <= size:
        raise _Unreadable("there is no salt")
    wanted, salt = whole[:size], whole[size:]
    return lambda password: compare_digest(hashlib.new(kind, password + salt).digest(), wanted)


def _pbkdf2(kind: str, rounds: int, salt: bytes, wanted: bytes) -> Verify:
    _within("i", rounds)
    _sized(wanted)
    return lambda password: compare_digest(
        hashlib.pbkdf2_hmac(kind, password, salt, rounds, len(wanted)), wanted
    )


def _scrypt(work: int, block: int, lanes: int, salt: bytes, wanted: bytes) -> Verify:
    _sized(wanted)
    derive = _derived(work, block, lanes, salt, len(wanted))
    return lambda password: compare_digest(derive(password), wanted)


def _derived(work: int, block: int, lanes: int, salt: bytes, size: int) -> Callable[[bytes], bytes]:
    if work < 2 or work & (work - 1) or not block or not lanes:
        raise _Unreadable("its parameters are out of bounds")
    _within("work", work * block * lanes)
    if 128 * work * block > _MEMORY:
        raise _Unreadable("it takes more than 64 MiB")
    most = 128 * block * (work + lanes + 2) + 4096
    return lambda password: hashlib.scrypt(
        password, salt=salt, n=work, r=block, p=lanes, maxmem=most, dklen=size
    )


def _within(name: str, value: int) -> None:
    if not 1 <= value <= _MOST[name]:
        raise _Unreadable(f"{name} has to be between 1 and {_MOST[name]}")


def _sized(wanted: bytes) -> None:
    if not _SHORTEST <= len(wanted) <= _LONGEST_DIGEST:
        raise _Unreadable(f"the hash has to have {_SHORTEST} to {_LONGEST_DIGEST} bytes")


def _numbers(text: str, needed: set[str]) -> Mapping[str, int]:
    """Parameters such as `ln=14,r=8,p=1`; others than those that are needed are not looked at."""
    pairs = dict(part.partition("=")[::2] for part in text.split(","))
    if not needed <= pairs.keys() or not all(
        0 < len(pairs[name]) < 10 and pairs[name].isdigit() for name in needed
    ):
        raise _Unreadable(f"it needs {', '.join(sorted(needed))}")
    return {name: int(pairs[name]) for name in needed}


def _bytes(text: str) -> bytes:
    """Base64 of any of the alphabets in use, padded or not."""
    plain = text.rstrip("=").replace(".", "+")
    padded = plain + "=" * (-len(plain) % 4)
    if "-" in padded or "_" in padded:
        return urlsafe_b64decode(padded)
    return b64decode(padded, validate=True)


SCHEMES = (
    Scheme("bcrypt", _BCRYPT, _bcrypt),
    Scheme("PBKDF2 or scrypt", _PHC, _phc),
    Scheme("Django PBKDF2", _DJANGO, _django),
    Scheme("Django scrypt", _DJANGO_SCRYPT, _django_scrypt),
    Scheme("Firebase scrypt", _FIREBASE, _firebase),
    Scheme("salted SHA", _SALTED_SHA, _salted_sha),
)
