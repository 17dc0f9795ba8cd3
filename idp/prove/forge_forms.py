"""Forgeries by the form: other bytes that some verifier reads as the same token (RFC 7515 §5.2), and other nests."""

import base64
import json
from collections.abc import Iterator
from itertools import product
from string import ascii_letters, digits

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from idp.prove.forge import Forged, Genuine, packed
from idp.prove.visitor import b64

_ALPHABET = ascii_letters[26:] + ascii_letters[:26] + digits + "-_"
_FLIPPED = (0, 1, 2, 3, 7, 8, 15, 16, 31, -32, -16, -8, -4, -3, -2, -1)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256 (SEC 2 §2.4.2)."""


def encodings(base: Genuine) -> Iterator[Forged]:
    """The same bytes, written otherwise (RFC 4648 §3.5, §3.2)."""
    for at, name in enumerate(("header", "payload", "signature")):
        piece = base.pieces[at]
        for how, text in (
            ("one =", piece + "="), ("two =", piece + "=="), ("a space behind", piece + " "),
            ("a tab behind", piece + "\t"),
            ("a space before", " " + piece), ("a line end inside", piece[:8] + "\n" + piece[8:]),
            ("a CRLF behind", piece + "\r\n"), ("a NUL behind", piece + "\x00"),
            ("a ! inside", piece[:8] + "!" + piece[8:]),
            ("A behind", piece + "A"), ("AA behind", piece + "AA"), ("%3D behind", piece + "%3D"), ("nothing", ""),
            ("in hexadecimal", piece.encode().hex()), ("twice encoded", b64(piece.encode())),
            ("the other alphabet",
            base64.b64encode(base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))).decode() + "+"),
        ):  # fmt: skip
            yield f"{name}: {how}", _piece(base, at, text)
        for last in _spare(piece):
            yield f"{name}: other spare bits", _piece(base, at, piece[:-1] + last)


def _spare(piece: str) -> Iterator[str]:
    """Last letters that a lax reader takes for the same, since their spare bits are thrown away."""
    bits = {2: 4, 3: 2}.get(len(piece) % 4, 0)
    value = _ALPHABET.index(piece[-1])
    for more in range(1, 1 << bits):
        yield _ALPHABET[(value & ~((1 << bits) - 1)) | ((value + more) & ((1 << bits) - 1))]


def signatures(base: Genuine) -> Iterator[Forged]:
    """Other signatures over the same bytes."""
    good = base.read[3]
    for name, raw in (
        ("a byte less", good[:-1]), ("half", good[: len(good) // 2]), ("a byte more", good + b"\x00"),
        ("a zero before", b"\x00" + good), ("twice", good * 2), ("zeros", bytes(len(good))),
        ("ones", b"\xff" * len(good)),
        ("reversed", good[::-1]), ("a byte", b"\x01"), ("without its first byte", good[1:]),
        ("long", good + bytes(1024)),
    ):  # fmt: skip
        yield f"signature: {name}", _piece(base, 2, b64(raw))
    for at in _FLIPPED:
        for bit in (1, 128):
            flipped = bytearray(good)
            flipped[at] ^= bit
            yield f"signature: bit {bit} of byte {at} flipped", _piece(base, 2, b64(bytes(flipped)))
    if base.alg == "ES256":
        r, s = int.from_bytes(good[:32], "big"), int.from_bytes(good[32:], "big")
        for name, raw in (
            ("in DER", encode_dss_signature(r, s)), ("r and s swapped", good[32:] + good[:32]),
            ("r is nothing", bytes(32) + good[32:]), ("s is nothing", good[:32] + bytes(32)),
            ("s is the order", good[:32] + ORDER.to_bytes(32, "big")),
            ("both are the order", ORDER.to_bytes(32, "big") * 2),
            ("r is one", (1).to_bytes(32, "big") * 2), ("64 bits each", good[24:32] + good[56:]),
        ):  # fmt: skip
            yield f"signature: {name}", _piece(base, 2, b64(raw))
    for at, name in ((0, "header"), (1, "payload")):
        raw = base64.urlsafe_b64decode(base.pieces[at] + "=" * (-len(base.pieces[at]) % 4))
        for how, text in (("spaces", b" " + raw + b" "), ("a mark of order", b"\xef\xbb\xbf" + raw),
            ("more behind", raw + b"{}"),
                          ("UTF-16", raw.decode().encode("utf-16")), ("a NUL behind", raw + b"\x00"),
                          ("bad UTF-8", raw[:-1] + b',"x":"\xff"}'),
                          ("indented", json.dumps(json.loads(raw), indent=1).encode())):  # fmt: skip
            yield f"{name}: {how}", _piece(base, at, b64(text))


def nests(base: Genuine) -> Iterator[Forged]:
    """Other serializations, tokens within tokens, and what is no token."""
    head, body, signature = base.pieces
    flat = {"protected": head, "payload": body, "signature": signature}
    general = {"payload": body, "signatures": [{"protected": head, "signature": signature}]}
    yield from (
        ("flattened JSON", json.dumps(flat)), ("general JSON", json.dumps(general)),
        ("detached", f"{head}..{signature}"),
        ("two parts", f"{head}.{body}"), ("one part", head), ("four parts", f"{base.token}.{signature}"),
        ("five parts, as encrypted",
        f"{packed({'alg': 'dir', 'enc': 'A256GCM'})}..{b64(bytes(12))}.{body}.{b64(bytes(16))}"),
        ("five parts, RSA-OAEP",
        f"{packed({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.{signature}.{b64(bytes(12))}.{body}.{signature}"),
        ("encrypted with nothing", f"{packed({'alg': 'none', 'enc': 'none'})}.{head}.{body}.{signature}."),
        ("dots", "..."), ("two dots", ".."), ("many dots", "." * 200), ("a dot behind", f"{base.token}."),
        ("a dot before", f".{base.token}"), ("a comma", f"{base.token},{base.token}"),
        ("upper case", base.token.upper()),
        ("lower case", base.token.lower()), ("backwards", base.token[::-1]), ("a prefix", f"Bearer {base.token}"),
        ("quoted", f'"{base.token}"'), ("an address", f"http://127.0.0.1:9/{base.token}"),
        ("long", base.token + "A" * 40_000),
        ("null", "null"), ("an object", "{}"), ("a number", "0"), ("a letter", "x"),
        ("swapped", f"{body}.{head}.{signature}"),
    )  # fmt: skip
    for name, header in (
        ("within", {**base.header, "cty": "JWT"}),
        ("within, typed", {"alg": base.alg, "typ": "JWT", "cty": "JWT"}),
    ):
        yield name, base.strange(header, base.token.encode())
    for name, raw in (("a list", b"[]"), ("a text", b'"x"'), ("a number", b"1"), ("null", b"null"), ("nothing", b"{}"),
                      ("deep", b'{"a":' * 3000 + b"1" + b"}" * 3000), ("no JSON", b"x"),
                      ("a proto", b'{"__proto__":{"alg":"none"}}')):  # fmt: skip
        yield f"payload: {name}", base.strange(base.header, raw)
        yield f"header: {name}", base.with_header(raw)


def mixtures(base: Genuine) -> Iterator[Forged]:
    """Parts of one good token with parts of another, and other good tokens whole."""
    known = {
        "this": base.token,
        **{name: token for name, token in base.others.items() if token.count(".") == 2},
    }
    for picked in product(known, repeat=3):
        if len(set(picked)) > 1:
            token = ".".join(known[name].split(".")[at] for at, name in enumerate(picked))
            if token not in known.values():
                yield " + ".join(picked), token
    yield from base.others.items()


def _piece(base: Genuine, at: int, text: str) -> str:
    pieces = base.pieces
    pieces[at] = text
    return ".".join(pieces)


GROUPS = (encodings, signatures, nests, mixtures)
