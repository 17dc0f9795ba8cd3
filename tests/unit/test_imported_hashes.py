"""Hashes that other systems made: published vectors, every way to write them, and what is refused."""

import hashlib
from base64 import b64encode

import pytest

from idp.accounts import imported_hashes, passwords
from idp.errors import Invalid

FIREBASE = (
    "$firebase-scrypt$m=14,r=8$Bw==$"
    "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$"
    "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
)
SCRYPT_7914 = (  # RFC 7914 §12
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
)
PBKDF2_7914 = (  # RFC 7914 §11
    "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
    "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"
)


def b64(raw: bytes) -> str:
    return b64encode(raw).decode().rstrip("=")


def salted(kind: str, password: bytes, salt: bytes) -> str:
    return b64encode(hashlib.new(kind, password + salt).digest() + salt).decode()


GOOD = {
    "bcrypt": ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "PBKDF2 in the words of passlib": (
        "toomanysecrets", "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk"
    ),
    "PBKDF2 in PHC": (
        "Password", f"$pbkdf2-sha256$i=80000,l=64${b64(b'NaCl')}${b64(bytes.fromhex(PBKDF2_7914))}"
    ),
    "scrypt in PHC": (
        "pleaseletmein", f"$scrypt$ln=14,r=8,p=1${b64(b'SodiumChloride')}${b64(bytes.fromhex(SCRYPT_7914))}"
    ),
    "Django's scrypt": (
        "pleaseletmein", f"scrypt$16384$SodiumChloride$8$1${b64encode(bytes.fromhex(SCRYPT_7914)).decode()}"
    ),
    "Django's PBKDF2": (
        "Password", f"pbkdf2_sha256$80000$NaCl${b64encode(bytes.fromhex(PBKDF2_7914)).decode()}"
    ),
    "Firebase": ("user1password", FIREBASE),
    "salted SHA-1": ("testing123", "{SSHA}" + salted("sha1", b"testing123", b"salt")),
    "salted SHA-512": ("testing123", "{SSHA512}" + salted("sha512", b"testing123", b"saltsalt")),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_password_fits_its_hash_and_no_other(name: str) -> None:
    password, encoded = GOOD[name]
    assert passwords.accepted(encoded) == encoded
    assert passwords.matches(encoded, password)
    assert not passwords.matches(encoded, password + "x") and not passwords.matches(encoded, password[:-1])
    assert not passwords.matches(encoded, "") and not passwords.matches(encoded, "\0" + password)
    assert passwords.outdated(encoded)


def test_bcrypt_reads_72_bytes_as_it_always_has() -> None:
    encoded = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
    whole = (
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored"
    )
    assert passwords.matches(encoded, whole) and passwords.matches(encoded, whole[:72])
    assert not passwords.matches(encoded, whole[:71])


@pytest.mark.parametrize(
    "encoded",
    [
        "$2b$14$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$00$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$pbkdf2-sha256$9999999$TmFDbA$" + "A" * 43,
        "$pbkdf2-sha256$0$TmFDbA$" + "A" * 43,
        "$pbkdf2-sha256$i=x$TmFDbA$" + "A" * 43,
        "$pbkdf2-sha256$l=5$TmFDbA$" + "A" * 43,
        "$pbkdf2-md5$6400$TmFDbA$" + "A" * 43,
        "$pbkdf2-sha256$6400$TmFDbA$AAAA",
        "$pbkdf2-sha256$6400$TmFDbA$!!!!",
        "$scrypt$ln=25,r=8,p=1$TmFDbA$" + "A" * 43,
        "$scrypt$ln=14,r=4096,p=1$TmFDbA$" + "A" * 43,
        "$scrypt$ln=14,r=8$TmFDbA$" + "A" * 43,
        "scrypt$16383$salt$8$1$" + "A" * 43,
        "scrypt$2$salt$0$1$" + "A" * 43,
        FIREBASE.replace("m=14", "m=40"),
        FIREBASE[:-8],
        "{SSHA}" + b64encode(b"x" * 20).decode(),
        "{SSHA256}not base64",
        "{MD5}" + b64encode(b"x" * 16).decode(),
        "$argon2id$v=19$m=262144,t=16,p=1$c29tZXNhbHQ$" + "A" * 43,
        "$pbkdf2-sha256$6400$TmFDbA$" + "A" * 2000,
    ],
)
def test_what_is_broken_or_unbearable_is_refused_with_a_sentence(encoded: str) -> None:
    with pytest.raises(Invalid) as refused:
        passwords.accepted(encoded)
    assert refused.value.rule == "password_hash.format" and str(refused.value).endswith(".")


def test_every_scheme_is_tried_above() -> None:
    tried = {
        scheme.name for _, encoded in GOOD.values() for scheme in imported_hashes.SCHEMES
        if scheme.form.fullmatch(encoded)
    }  # fmt: skip
    assert tried == {scheme.name for scheme in imported_hashes.SCHEMES}
