"""Sign and verify JWTs (RFC 7519): the only caller of the JOSE library.

Signing takes one private key object, chosen by the tenant's keys, and writes `alg`, `kid` and `typ` itself:
given a set, the library would pick any key of the algorithm. Verifying admits the compact form only, with
the algorithms, types and audience that the caller names; a key is found by its id among the tenant's own and
nowhere else. Nothing here fetches, opens or queries anything by what a token says.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any, cast

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from idp import clock, ids
from idp.errors import InvalidToken
from idp.memory import Recent
from idp.signing import cache, keys
from idp.signing.cache import JoseKey
from idp.signing.jwks import MEMBERS
from idp.tenants import current

LONGEST = 16_384
"""Bytes of a token that are looked at; anything longer is refused unread."""
SKEW = 15
"""Seconds by which the clock of whoever signs an assertion may differ from ours; our own tokens get none."""
ASSERTION_LIFETIME = 300
"""Seconds that a client's assertion may be valid, counted from now (RFC 7523 §3, item 4)."""

_ALGORITHMS = {name: JWSRegistry.algorithms[name] for name in (*keys.ALGORITHMS, "Ed25519")}
_KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_HALF_HASHES = {
    "RS256": hashlib.sha256,
    "PS256": hashlib.sha256,
    "ES256": hashlib.sha256,
    "EdDSA": hashlib.sha512,
    "Ed25519": hashlib.sha512,
}
_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, check_circular=False, allow_nan=False
).encode
_heads: Recent[tuple[str, str, str], bytes] = Recent(20_000)


_WITHOUT_SIGN = (1 << 255) - 1
_SMALL_ORDER = {
    int.from_bytes(bytes.fromhex(point), "little")
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
}
"""Points of Ed25519 whose order divides 8, without the sign bit: under such a key one signature fits any text,
and OpenSSL does not refuse them (RFC 8032 §8.4 leaves it to the caller)."""


class NoKey(RuntimeError):
    """The tenant has no active key for the algorithm."""


def algorithms() -> tuple[str, ...]:
    """The algorithms with which the entered tenant can sign now, in the order of `keys.ALGORITHMS`."""
    kept, now = cache.load(), clock.now()
    return tuple(alg for alg in keys.ALGORITHMS if kept.signer(alg, now) is not None)


def sign(claims: Mapping[str, Any], *, alg: str, typ: str) -> str:
    """`claims` signed with the entered tenant's active key for `alg`, in compact form (RFC 7515 §7.1).

    `typ` is the header's (RFC 8725 §3.11): `at+jwt`, `JWT`, … Raises NoKey, Unsealable, ValueError for a
    number that JSON does not have.
    """
    tenant = current()
    alg = keys.canonical(alg)
    row = cache.load(tenant).signer(alg, clock.now())
    if row is None:
        raise NoKey(f"tenant {tenant.slug} has no active {alg} key; run idp keys rotate --alg {alg}")
    key = cache.private_key(row, tenant.id)
    # The header is the same for each token of a key and a type: its bytes are made once.
    head = _heads.get((row.kid, alg, typ)) or _heads.put((row.kid, alg, typ), _head(alg, row.kid, typ))
    signed = head + ids.b64(_encode(claims).encode()).encode()
    return f"{signed.decode()}.{ids.b64(_ALGORITHMS[alg].sign(signed, key))}"


def _head(alg: str, kid: str, typ: str) -> bytes:
    return ids.b64(_encode({"alg": alg, "kid": kid, "typ": typ}).encode()).encode() + b"."


def verify(
    token: str,
    *,
    typ: Collection[str],
    audience: str | None,
    now: int | None = None,
    expired_is_fine: bool = False,
) -> dict[str, Any]:
    """The claims of a token that the entered tenant signed itself.

    `typ`: the types that are admitted; `audience`: what `aud` must hold, None to leave that to the caller;
    `now`: seconds since 1970; `expired_is_fine`: for an `id_token_hint`, which may be older (OpenID Connect
    RP-Initiated Logout 1.0 §2). Raises InvalidToken.
    """
    tenant = current()
    header, payload, signed, signature = _parts(token)
    if set(header) != {"alg", "kid", "typ"} or not all(isinstance(value, str) for value in header.values()):
        raise _no("token.header", expected="alg, kid and typ", got=sorted(header))
    if header["typ"] not in typ:
        raise _no("token.typ", expected=sorted(typ), got=header["typ"])
    row = cache.load(tenant).by_kid.get(header["kid"])
    if row is None or keys.state(row, clock.now()) not in keys.PUBLISHED:
        raise _no("token.kid", got=header["kid"])
    if header["alg"] != row.alg:
        raise _no("token.alg", expected=row.alg, got=header["alg"])
    _check_signature(row.alg, cache.public_key(row, tenant.id), signed, signature)
    claims = _object(payload, "token.payload")
    moment = clock.epoch() if now is None else now
    if claims.get("iss") not in tenant.issuers:
        raise _no("token.iss", expected=list(tenant.issuers), got=claims.get("iss"))
    _check_times(claims, moment, skew=0, lifetime=None, needs_iat=True, expired_is_fine=expired_is_fine)
    if claims["exp"] - claims["iat"] > keys.LONGEST_TOKEN.total_seconds():
        raise _no(
            "token.lifetime", expected=keys.LONGEST_TOKEN.total_seconds(), got=claims["exp"] - claims["iat"]
        )
    _check_texts(claims)
    if audience is not None:
        _check_audience(claims, {audience})
    return claims


def verify_with(
    token: str,
    jwks: Mapping[str, Any],
    *,
    algs: Collection[str],
    typ: Collection[str | None] = (None, "JWT"),
    issuer: str | None = None,
    subject: str | None = None,
    audience: Collection[str] | None = None,
    lifetime: int = ASSERTION_LIFETIME,
    now: int | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT that someone else signed, checked against their public keys `jwks`.

    `algs`: what is admitted (`EdDSA` and `Ed25519` mean the same); `typ`: types, compared without case, None
    for an absent one; `issuer`, `subject`: what `iss` and `sub` must be; `audience`: of which `aud` must hold
    one; `lifetime`: seconds from now that `exp` may lie ahead. `exp` is required. Raises InvalidToken.
    """
    header, payload, signed, signature = _parts(token)
    kind = header.get("typ")
    admitted = {name.lower() if name else name for name in typ}
    if not isinstance(kind, str | None) or (kind and kind.lower()) not in admitted:
        raise _no("assertion.typ", expected=sorted(str(name) for name in admitted), got=kind)
    alg = header.get("alg")
    if not isinstance(alg, str) or keys.canonical(alg) not in {keys.canonical(name) for name in algs}:
        raise _no("assertion.alg", expected=sorted(algs), got=alg)
    if keys.canonical(alg) not in _KEY_TYPES:
        raise _no("assertion.alg", expected=sorted(_KEY_TYPES), got=alg)
    _check_signature(keys.canonical(alg), _pick(jwks, header, keys.canonical(alg)), signed, signature)
    claims = _object(payload, "assertion.payload")
    moment = clock.epoch() if now is None else now
    _check_times(claims, moment, skew=SKEW, lifetime=lifetime, needs_iat=False, expired_is_fine=False)
    _check_texts(claims)
    for name, wanted in (("iss", issuer), ("sub", subject)):
        if wanted is not None and claims.get(name) != wanted:
            raise _no(f"assertion.{name}", expected=wanted, got=claims.get(name))
    if audience is not None:
        _check_audience(claims, audience)
    return header, claims


def half_hash(value: str, alg: str) -> str:
    """`at_hash`, `c_hash`: the left half of the hash that `alg` uses (OpenID Connect Core 1.0 §3.1.3.6).

    Ed25519 hashes with SHA-512 (RFC 8032 §5.1). Raises ValueError for an algorithm that is not known here.
    """
    if alg not in _HALF_HASHES:
        raise ValueError(f"no half hash is defined for {alg!r}")
    digest = _HALF_HASHES[alg](value.encode("ascii")).digest()
    return ids.b64(digest[: len(digest) // 2])


def _no(rule: str, *, expected: object = None, got: object = None) -> InvalidToken:
    return InvalidToken(rule=rule, expected=expected, got=got)


def _parts(token: object) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    """Header, payload, what was signed, and the signature, of a compact JWS; everything decoded strictly."""
    if not isinstance(token, str) or len(token) > LONGEST:
        raise _no("token.size", expected=LONGEST)
    pieces = token.split(".")
    if len(pieces) != 3 or not all(pieces):
        raise _no("token.form", expected="three parts", got=len(pieces))
    try:
        header, payload, signature = (ids.unb64(piece) for piece in pieces)
    except ValueError:
        raise _no("token.encoding", expected="canonical base64url") from None
    head = _object(header, "token.header")
    # `crit` names what must be understood and nothing here is (RFC 7515 §4.1.11); the rest changes the payload.
    if not head.keys().isdisjoint({"crit", "b64", "zip", "enc"}):
        raise _no("token.header", expected="no crit, b64, zip, enc")
    return head, payload, f"{pieces[0]}.{pieces[1]}".encode(), signature


def _object(raw: bytes, rule: str) -> dict[str, Any]:
    """A JSON object without repeated names, NaN, Infinity or lone surrogates."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        _encode(value).encode()
    except (ValueError, RecursionError):
        raise _no(rule, expected="a JSON object, each name once") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _check_signature(alg: str, key: JoseKey, signed: bytes, signature: bytes) -> None:
    model = _ALGORITHMS[alg]
    try:
        model.check_key(key)
        good = model.verify(signed, signature, key)
    except (JoseError, ValueError, TypeError, AssertionError):
        good = False
    if not good:
        raise _no("token.signature")


def _pick(jwks: Mapping[str, Any], header: Mapping[str, Any], alg: str) -> JoseKey:
    """The one key of a foreign set that may have made this signature."""
    members = jwks.get("keys")
    kid = header.get("kid")
    if not isinstance(members, list) or not (kid is None or isinstance(kid, str)):
        raise _no("assertion.kid", got=kid)
    fitting = [
        member
        for member in members
        if isinstance(member, dict) and (kid is None or member.get("kid") == kid) and _fits(member, alg)
    ]
    if len(fitting) != 1:
        raise _no("assertion.kid", expected="exactly one fitting key", got=len(fitting))
    public = {name: fitting[0][name] for name in MEMBERS if name in fitting[0]}
    try:
        if (
            alg == "EdDSA"
            and int.from_bytes(ids.unb64(public["x"]), "little") & _WITHOUT_SIGN in _SMALL_ORDER
        ):
            raise ValueError("a point of small order")
        return cache.JOSE_KEYS[_KEY_TYPES[alg]].import_key(cast(Any, public))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise _no("assertion.key", expected=f"a public key for {alg}") from None


def _fits(member: dict[str, Any], alg: str) -> bool:
    """Whether a foreign key is meant for verifying `alg` (RFC 7517 §4.2–4.4); its private half disqualifies it."""
    named = member.get("alg")
    operations = member.get("key_ops", ["verify"])
    modulus = member.get("n", "")
    return (
        member.get("kty") == _KEY_TYPES[alg]
        and member.get("use", "sig") == "sig"
        and (named is None or (isinstance(named, str) and keys.canonical(named) == alg))
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in member
        # RFC 7518 §3.3 wants 2,048 bits; above 8,192 a verification costs more than it is worth to a client.
        and (alg not in keys.RSA_ALGORITHMS or (isinstance(modulus, str) and 342 <= len(modulus) <= 1366))
    )


def _check_times(
    claims: Mapping[str, Any],
    now: int,
    *,
    skew: int,
    lifetime: int | None,
    needs_iat: bool,
    expired_is_fine: bool,
) -> None:
    """`exp`, `iat`, `nbf` as whole numbers within bounds (RFC 7519 §4.1.4–4.1.6)."""
    for name, needed in (("exp", True), ("iat", needs_iat), ("nbf", False)):
        value = claims.get(name)
        if name not in claims and not needed:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 40:
            raise _no(f"token.{name}", expected="seconds since 1970", got=value)
    if claims["exp"] + skew <= now and not expired_is_fine:
        raise _no("token.exp", expected=f"after {now}", got=claims["exp"])
    if lifetime is not None and claims["exp"] > now + lifetime + skew:
        raise _no("token.exp", expected=f"at most {lifetime} s ahead", got=claims["exp"] - now)
    # Nodes of ours may differ by a few seconds; a token "from the future" of another node is still ours.
    for name in ("iat", "nbf"):
        if claims.get(name, 0) > now + SKEW:
            raise _no(f"token.{name}", expected=f"not after {now}", got=claims[name])


def _check_texts(claims: Mapping[str, Any]) -> None:
    for name in ("iss", "sub", "jti", "client_id", "azp", "scope"):
        if name in claims and not isinstance(claims[name], str):
            raise _no(f"token.{name}", expected="a string", got=type(claims[name]).__name__)


def _check_audience(claims: Mapping[str, Any], wanted: Collection[str]) -> None:
    """`aud` is a string or a list of strings that holds one of `wanted` (RFC 7519 §4.1.3)."""
    value = claims.get("aud")
    held = [value] if isinstance(value, str) else value
    if not isinstance(held, list) or not all(isinstance(one, str) for one in held):
        raise _no("token.aud", expected="a string or a list of strings")
    if not set(held) & set(wanted):
        raise _no("token.aud", expected=sorted(wanted), got=held)
