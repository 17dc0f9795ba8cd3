"""The parts of a compact JWS read strictly (RFC 7515 §7.1), and what every JWT has to keep, whoever signed it."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from idp import ids
from idp.signing import keys
from idp.signing.cache import JoseKey
from idp.signing.checks import no

LONGEST = 16_384
"""Bytes of a token that are looked at; anything longer is refused unread."""
SKEW = 15
"""Seconds by which the clock of whoever signs an assertion may differ from ours; our own tokens get none."""

ALGORITHMS = {name: JWSRegistry.algorithms[name] for name in (*keys.ALGORITHMS, "Ed25519")}

encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, check_circular=False, allow_nan=False
).encode


def split(token: object) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    """Header, payload, what was signed, and the signature; everything decoded strictly. Raises InvalidToken."""
    if not isinstance(token, str) or len(token) > LONGEST:
        raise no("token.size", expected=LONGEST, got=len(token) if isinstance(token, str) else None)
    pieces = token.split(".")
    if len(pieces) != 3 or not all(pieces):
        got = len(pieces) if len(pieces) != 3 else "an empty one among three"
        raise no("token.form", expected="three parts", got=got)
    try:
        header, payload, signature = (ids.unb64(piece) for piece in pieces)
    except ValueError:
        raise no("token.encoding", expected="canonical base64url") from None
    head = json_object(header, "token.header")
    # `crit` names what must be understood and nothing here is (RFC 7515 §4.1.11); the rest changes the payload.
    if not head.keys().isdisjoint({"crit", "b64", "zip", "enc"}):
        raise no("token.header", expected="no crit, b64, zip, enc", got=sorted(head))
    return head, payload, f"{pieces[0]}.{pieces[1]}".encode(), signature


def kid(token: str) -> str | None:
    """The `kid` of a token's header, read before anything about the token is known; None when there is none."""
    try:
        header = json.loads(ids.unb64(token.partition(".")[0])) if len(token) <= LONGEST else None
    except (ValueError, RecursionError):
        return None
    found = header.get("kid") if isinstance(header, dict) else None
    return found if isinstance(found, str) else None


def json_object(raw: bytes, rule: str) -> dict[str, Any]:
    """A JSON object without repeated names, NaN, Infinity or lone surrogates. Raises InvalidToken."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        encode(value).encode()
    except (ValueError, RecursionError):
        raise no(rule, expected="a JSON object, each name once") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def check_signature(alg: str, key: JoseKey, signed: bytes, signature: bytes) -> None:
    """Raises InvalidToken where `key` did not make this signature with `alg`."""
    model = ALGORITHMS[alg]
    try:
        model.check_key(key)
        good = model.verify(signed, signature, key)
    except (JoseError, ValueError, TypeError, AssertionError):
        good = False
    if not good:
        raise no("token.signature", expected=f"one by the key's {alg}", got="another")


def check_numbers(claims: Mapping[str, Any], *, needs_iat: bool, needs_exp: bool = True) -> None:
    """`exp`, `iat`, `nbf` are whole numbers within bounds (RFC 7519 §4.1.4–4.1.6)."""
    for name, needed in (("exp", needs_exp), ("iat", needs_iat), ("nbf", False)):
        value = claims.get(name)
        if name not in claims and not needed:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 40:
            raise no(f"token.{name}", expected="seconds since 1970", got=value)


def check_not_ahead(claims: Mapping[str, Any], name: str, now: int) -> None:
    """`iat` or `nbf` does not lie ahead by more than nodes of ours may differ."""
    if claims.get(name, 0) > now + SKEW:
        raise no(f"token.{name}", expected=f"not after {now}", got=claims[name])


def check_texts(claims: Mapping[str, Any]) -> None:
    """What is compared as text is text, and has no NUL, which no table takes."""
    for name in ("iss", "sub", "jti", "client_id", "azp", "scope"):
        if name in claims and not isinstance(claims[name], str):
            raise no(f"token.{name}", expected="a string", got=type(claims[name]).__name__)
        if name in claims and "\x00" in claims[name]:
            raise no(f"token.{name}", expected="a string without NUL")


def check_audience(claims: Mapping[str, Any], wanted: Collection[str] | None) -> None:
    """`aud` is a string or a list of strings (RFC 7519 §4.1.3) that holds one of `wanted`, where that is given."""
    value = claims.get("aud")
    held = [value] if isinstance(value, str) else value
    if not isinstance(held, list) or not all(isinstance(one, str) for one in held):
        raise no("token.aud", expected="a string or a list of strings", got=value)
    if wanted is not None and not set(held) & set(wanted):
        raise no("token.aud", expected=sorted(wanted), got=held)
