"""The checks of a JWT that someone else signed with a key of theirs, in the order in which they count."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from joserfc.errors import JoseError

from idp import ids
from idp.signing import cache, keys, parts
from idp.signing.cache import JoseKey
from idp.signing.checks import Check, Table, no
from idp.signing.jwks import MEMBERS

_KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
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


@dataclass(slots=True)
class Foreign:
    """A JWT, the public keys of whoever should have signed it, and what the checks have found out so far."""

    token: object
    jwks: Mapping[str, Any]
    algs: Collection[str]
    """What is admitted; `EdDSA` and `Ed25519` mean the same."""
    typ: Collection[str | None]
    """Types, compared without case; None for an absent one."""
    issuer: str | None
    subject: str | None
    audience: Collection[str] | None
    """Of which `aud` must hold one."""
    lifetime: int
    """Seconds from now that `exp` may lie ahead."""
    moment: int
    needs_exp: bool = True
    header: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""
    signed: bytes = b""
    signature: bytes = b""
    alg: str = ""
    key: JoseKey | None = None
    claims: dict[str, Any] = field(default_factory=dict)


def _form(seen: Foreign) -> None:
    seen.header, seen.payload, seen.signed, seen.signature = parts.split(seen.token)


def _typ(seen: Foreign) -> None:
    kind = seen.header.get("typ")
    admitted = {name.lower() if name else name for name in seen.typ}
    if not isinstance(kind, str | None) or (kind and kind.lower()) not in admitted:
        raise no("assertion.typ", expected=sorted(str(name) for name in admitted), got=kind)


def _alg(seen: Foreign) -> None:
    alg = seen.header.get("alg")
    if not isinstance(alg, str) or keys.canonical(alg) not in {keys.canonical(name) for name in seen.algs}:
        raise no("assertion.alg", expected=sorted(seen.algs), got=alg)
    if keys.canonical(alg) not in _KEY_TYPES:
        raise no("assertion.alg", expected=sorted(_KEY_TYPES), got=alg)
    seen.alg = keys.canonical(alg)


def _kid(seen: Foreign) -> None:
    seen.key = _pick(seen.jwks, seen.header, seen.alg)


def _signature(seen: Foreign) -> None:
    if seen.key is None:
        raise AssertionError("kid comes first")
    parts.check_signature(seen.alg, seen.key, seen.signed, seen.signature)


def _payload(seen: Foreign) -> None:
    seen.claims = parts.json_object(seen.payload, "assertion.payload")


def _numbers(seen: Foreign) -> None:
    parts.check_numbers(seen.claims, needs_iat=False, needs_exp=seen.needs_exp)


def _exp(seen: Foreign) -> None:
    exp, now = seen.claims.get("exp"), seen.moment
    if exp is None:
        return  # it was not needed, or the numbers would have failed
    if exp + parts.SKEW <= now:
        raise no("token.exp", expected=f"after {now}", got=exp)
    if exp > now + seen.lifetime + parts.SKEW:
        raise no("assertion.lifetime", expected=f"at most {seen.lifetime} s ahead", got=exp - now)


def _iat(seen: Foreign) -> None:
    parts.check_not_ahead(seen.claims, "iat", seen.moment)


def _nbf(seen: Foreign) -> None:
    parts.check_not_ahead(seen.claims, "nbf", seen.moment)


def _texts(seen: Foreign) -> None:
    parts.check_texts(seen.claims)


def _iss(seen: Foreign) -> None:
    _same(seen, "iss", seen.issuer)


def _sub(seen: Foreign) -> None:
    _same(seen, "sub", seen.subject)


def _same(seen: Foreign, name: str, wanted: str | None) -> None:
    if wanted is not None and seen.claims.get(name) != wanted:
        raise no(f"assertion.{name}", expected=wanted, got=seen.claims.get(name))


def _aud(seen: Foreign) -> None:
    if seen.audience is not None:
        parts.check_audience(seen.claims, seen.audience)


FOREIGN = Table[Foreign](
    Check("form", _form),
    Check("typ", _typ, ("form",)),
    Check("alg", _alg, ("form",)),
    Check("kid", _kid, ("alg",)),
    Check("signature", _signature, ("kid",)),
    Check("payload", _payload, ("form",)),
    Check("times", _numbers, ("payload",)),
    Check("exp", _exp, ("times",)),
    Check("iat", _iat, ("times",)),
    Check("nbf", _nbf, ("times",)),
    Check("texts", _texts, ("payload",)),
    Check("iss", _iss, ("payload",)),
    Check("sub", _sub, ("payload",)),
    Check("aud", _aud, ("payload",)),
)


def _pick(jwks: Mapping[str, Any], header: Mapping[str, Any], alg: str) -> JoseKey:
    """The one key of a foreign set that may have made this signature."""
    members = jwks.get("keys")
    kid = header.get("kid")
    if not isinstance(members, list) or not (kid is None or isinstance(kid, str)):
        raise no("assertion.kid", got=kid)
    fitting = [
        member
        for member in members
        if isinstance(member, dict) and (kid is None or member.get("kid") == kid) and _fits(member, alg)
    ]
    if len(fitting) != 1:
        raise no("assertion.kid", expected="exactly one fitting key", got=len(fitting))
    return imported(fitting[0], alg)


def imported(member: Mapping[str, Any], alg: str) -> JoseKey:
    """A public key of somebody else's, as a JWK, for verifying `alg`. Raises InvalidToken where it is not for that."""
    public = {name: member[name] for name in MEMBERS if name in member}
    try:
        if not _fits(member, alg):
            raise ValueError("a key for something else")
        if (
            alg == "EdDSA"
            and int.from_bytes(ids.unb64(public["x"]), "little") & _WITHOUT_SIGN in _SMALL_ORDER
        ):
            raise ValueError("a point of small order")
        return cache.JOSE_KEYS[_KEY_TYPES[alg]].import_key(cast(Any, public))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise no("assertion.key", expected=f"a public key for {alg}") from None


def _fits(member: Mapping[str, Any], alg: str) -> bool:
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
