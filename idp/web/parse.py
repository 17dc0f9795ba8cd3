"""The strict parser in front of every endpoint: bytes in, plain dictionaries of strings out.

A parameter comes once or not at all, in one place, as valid UTF-8 without NUL, within bounds. Whoever
reads a dictionary from here needs no second thought about encodings, duplicates or sizes.
"""

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Any, NoReturn

from idp.errors import InvalidClient, InvalidRequest, InvalidToken, TooLarge, UnsupportedMediaType

FIELDS = 64
BODY_BYTES = 64 * 1024
URL_BYTES = 8 * 1024
HEADER_BYTES = 16 * 1024
JSON_DEPTH = 16
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BYTES = {b"%02x" % n: bytes([n]) for n in range(256)}
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


_EXPECTED = {
    "parse.utf8": ("valid UTF-8", "other bytes"),
    "parse.nul": ("text without NUL", "NUL"),
    "parse.escape": ("% and two hexadecimal digits", "% and something else"),
    "parse.fields": (f"at most {FIELDS} parameters", None),
    "parse.duplicate": ("each parameter once", None),
    "parse.json": ("JSON in UTF-8", "something else"),
    "parse.json.number": ("a number within a double", None),
    "parse.json.duplicate": ("each member once", "one twice"),
    "parse.json.depth": (f"at most {JSON_DEPTH} levels", "more"),
    "parse.json.text": ("Unicode text without NUL", "NUL or half a surrogate pair"),
    "parse.json.object": ("an object", "another value"),
}
"""What each rule expects, and what it got where saying more would repeat what came."""


def _refuse(sentence: str, rule: str, got: object = None) -> NoReturn:
    expected, usually = _EXPECTED[rule]
    raise InvalidRequest(sentence, rule=rule, expected=expected, got=usually if got is None else got)


def _unescape(match: re.Match[bytes]) -> bytes:
    return _BYTES[match[1].lower()]


def _decode(piece: bytes) -> str:
    """One name or value of a form (WHATWG URL §5.1), strictly."""
    if b"+" in piece:
        piece = piece.replace(b"+", b" ")
    if b"%" in piece:
        piece = _ESCAPE.sub(_unescape, piece)
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        _refuse("A parameter is not valid UTF-8.", "parse.utf8")
    if "\0" in text:
        _refuse("A parameter holds a NUL character.", "parse.nul")
    return text


_KNOWN = {
    name.encode(): name
    for name in ("client_id", "client_secret", "code", "code_verifier", "grant_type", "redirect_uri",
                 "refresh_token", "resource", "scope", "token")
}  # fmt: skip
"""Names that come with nearly every request, decoded already."""


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """The names and values of a form or query in the order they came.

    Raises InvalidRequest for a broken escape, invalid UTF-8, NUL, or more than 64 fields, and TooLarge
    for more than 64 KiB.
    """
    if not raw:
        return []
    if len(raw) > BODY_BYTES:
        raise TooLarge(code="invalid_request", rule="parse.size", expected=BODY_BYTES, got=len(raw))
    if _BAD_ESCAPE.search(raw):
        _refuse("A percent sign is not followed by two hexadecimal digits.", "parse.escape")
    pieces = raw.split(b"&")
    if len(pieces) > FIELDS:
        _refuse("There are too many parameters.", "parse.fields", len(pieces))
    found = []
    for piece in pieces:
        if piece:
            name, _, value = piece.partition(b"=")
            found.append((_KNOWN.get(name) or _decode(name), _decode(value)))
    return found


def single(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; one without a value counts as omitted (RFC 6749 §3.1).

    Raises InvalidRequest when a name comes twice (RFC 6749 §3.1 and §3.2).
    """
    seen: dict[str, str] = {}
    for name, value in found:
        if name in seen:
            _refuse("A parameter is repeated.", "parse.duplicate", name[:64])
        seen[name] = value
    if "" in seen.values():
        return {name: value for name, value in seen.items() if value}
    return seen


def urlencoded(raw: bytes) -> dict[str, str]:
    """A form or query as a dictionary; see :func:`pairs` and :func:`single` for what they refuse."""
    return single(pairs(raw))


def merged(query: bytes, body: bytes) -> dict[str, str]:
    """Query and body of a request to /authorize together (OpenID Connect Core 1.0 §3.1.2.1).

    Raises InvalidRequest when a name comes twice, in either or across both.
    """
    return single([*pairs(query), *pairs(body)])


def expect_type(header: str, expected: str) -> None:
    """Raise UnsupportedMediaType unless the Content-Type `header` names `expected`, in UTF-8 if at all."""
    if header == expected:
        return
    kind, _, rest = header.partition(";")
    charset = rest.strip().lower().replace('"', "").replace(" ", "")
    if kind.strip().lower() != expected or charset not in {"", "charset=utf-8"}:
        raise UnsupportedMediaType(
            f"The content type must be {expected}.",
            code="invalid_request",
            rule="parse.media_type",
            expected=expected,
            got=header[:80] or "none",
        )


def _no_constant(name: str) -> NoReturn:
    _refuse("The JSON holds a number that JSON does not know.", "parse.json.number", name)


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        _refuse("The JSON holds a number that is too large.", "parse.json.number", text[:32])
    return value


def _integer(text: str) -> int:
    if len(text) > 20:
        _refuse("The JSON holds a number that is too large.", "parse.json.number", text[:32])
    return int(text)


def _members(found: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(found)
    if len(members) != len(found):
        _refuse("The JSON holds a member twice.", "parse.json.duplicate")
    return members


def _shallow(text: str) -> None:
    """Refuse deep nesting before the parser recurses; brackets inside strings do not count."""
    depth = 0
    quoted = escaped = False
    for char in text:
        if quoted:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "[{":
            depth += 1
            if depth > JSON_DEPTH:
                _refuse("The JSON is nested too deeply.", "parse.json.depth")
        elif char in "]}":
            depth -= 1


def json_value(raw: bytes | str) -> Any:
    """A JSON text as Python values (RFC 8259), refusing what parsers disagree about.

    Raises InvalidRequest for NaN, Infinity and numbers beyond a double, a member that comes twice,
    nesting deeper than 16, invalid UTF-8, lone surrogates and NUL; TooLarge beyond 64 KiB.
    """
    if len(raw) > BODY_BYTES:
        raise TooLarge(code="invalid_request", rule="parse.size", expected=BODY_BYTES, got=len(raw))
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        if text.count("[") + text.count("{") > JSON_DEPTH:
            _shallow(text)
        value = json.loads(
            text,
            parse_constant=_no_constant,
            parse_float=_number,
            parse_int=_integer,
            object_pairs_hook=_members,
        )
    except (UnicodeDecodeError, ValueError, RecursionError):
        _refuse("The JSON cannot be read.", "parse.json")
    if "\\u" in text and _unsound(value):
        _refuse("The JSON holds NUL or half a surrogate pair.", "parse.json.text")
    return value


def _unsound(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value or _LONE_SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_unsound(k) or _unsound(v) for k, v in value.items())
    if isinstance(value, list):
        return any(_unsound(v) for v in value)
    return False


def json_object(raw: bytes | str) -> dict[str, Any]:
    """A JSON object; raises as :func:`json_value`, and InvalidRequest when it is something else."""
    value = json_value(raw)
    if not isinstance(value, dict):
        _refuse("The JSON must be an object.", "parse.json.object")
    return value


def basic(header: str | None) -> tuple[str, str] | None:
    """Client id and secret of an `Authorization: Basic` header, both form-decoded (RFC 6749 §2.3.1).

    None when there is no header or another scheme. Raises InvalidClient when the header is malformed.
    """
    if not header:
        return None
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = b64decode(credentials.strip().encode("ascii"), validate=True)
        name, colon, secret = text.partition(b":")
        if not colon or _BAD_ESCAPE.search(text):
            raise ValueError
        found = _decode(name), _decode(secret)
    except (binascii.Error, ValueError, InvalidRequest):
        raise InvalidClient(rule="client_auth.basic", expected="base64 of client_id:client_secret") from None
    if not found[0]:
        raise InvalidClient(rule="client_auth.basic", expected="a client_id")
    return found


def access_token(header: str | None) -> tuple[str, str] | None:
    """Scheme, in lower case, and token of an Authorization header (RFC 6750 §2.1, RFC 9449 §7.1).

    None when there is none. Raises InvalidToken when the scheme is Bearer or DPoP and what follows is no token.
    """
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() not in {"bearer", "dpop"}:
        return None
    token = token.strip()
    if not _TOKEN68.fullmatch(token):
        raise InvalidToken(
            rule="bearer.syntax",
            expected="Bearer or DPoP, and a token (RFC 6750 §2.1)",
            got="something else",
        )
    return scheme.lower(), token


def bearer(header: str | None) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750 §2.1); None when there is none.

    Raises what `access_token` raises.
    """
    found = access_token(header)
    return found[1] if found is not None and found[0] == "bearer" else None
