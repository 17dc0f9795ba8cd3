"""Sign and verify JWTs (RFC 7519).

Signing takes one private key object, chosen by the tenant's keys, and writes `alg`, `kid` and `typ` itself:
given a set, the library would pick any key of the algorithm. Verifying admits the compact form only, with
the algorithms, types and audience that the caller names; a key is found by its id among the tenant's own and
nowhere else. Nothing here fetches, opens or queries anything by what a token says. The checks themselves, in
their order, stand in `own` and `foreign`.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from idp import clock, ids
from idp.signing import cache, keys
from idp.signing.foreign import FOREIGN, Foreign
from idp.signing.own import OWN, Own
from idp.signing.parts import ALGORITHMS as _ALGORITHMS
from idp.signing.parts import LONGEST as LONGEST
from idp.signing.parts import SKEW as SKEW
from idp.signing.parts import encode as _encode
from idp.tenants import current

ASSERTION_LIFETIME = 300
"""Seconds that a client's assertion may be valid, counted from now (RFC 7523 §3, item 4)."""

_HALF_HASHES = {
    "RS256": hashlib.sha256,
    "PS256": hashlib.sha256,
    "ES256": hashlib.sha256,
    "EdDSA": hashlib.sha512,
    "Ed25519": hashlib.sha512,
}


class NoKey(RuntimeError):
    """The tenant has no active key for the algorithm."""


def algorithms() -> tuple[str, ...]:
    """The algorithms with which the entered tenant can sign now, in the order of `keys.ALGORITHMS`."""
    kept, now = cache.load(current().signer), clock.now()
    return tuple(alg for alg in keys.ALGORITHMS if kept.signer(alg, now) is not None)


def sign(claims: Mapping[str, Any], *, alg: str, typ: str) -> str:
    """`claims` signed with the entered tenant's active key for `alg`, in compact form (RFC 7515 §7.1).

    `typ` is the header's (RFC 8725 §3.11): `at+jwt`, `JWT`, … Raises NoKey, Unsealable, ValueError for a
    number that JSON does not have.
    """
    tenant = current()
    alg = keys.canonical(alg)
    owner = tenant.signer
    row = cache.load(owner).signer(alg, clock.now())
    if row is None:
        raise NoKey(f"tenant {owner.slug} has no active {alg} key; run idp keys rotate --alg {alg}")
    key = cache.private_key(row, owner.id)
    head = _head(alg, row.kid, typ)
    signed = head + ids.b64(_encode(claims).encode()).encode()
    return f"{signed.decode()}.{ids.b64(_ALGORITHMS[alg].sign(signed, key))}"


def _head(alg: str, kid: str, typ: str) -> bytes:
    # Words of our own, none of which JSON would write otherwise; written out, since this is in each token's way.
    return ids.b64(f'{{"alg":"{alg}","kid":"{kid}","typ":"{typ}"}}'.encode()).encode() + b"."


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
    moment = clock.epoch() if now is None else now
    seen = Own(token, current(), typ, audience, moment, expired_is_fine)
    OWN.hold(seen)
    return seen.claims


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
    moment = clock.epoch() if now is None else now
    seen = Foreign(token, jwks, algs, typ, issuer, subject, audience, lifetime, moment)
    FOREIGN.hold(seen)
    return seen.header, seen.claims


def half_hash(value: str, alg: str) -> str:
    """`at_hash`, `c_hash`: the left half of the hash that `alg` uses (OpenID Connect Core 1.0 §3.1.3.6).

    Ed25519 hashes with SHA-512 (RFC 8032 §5.1). Raises ValueError for an algorithm that is not known here.
    """
    if alg not in _HALF_HASHES:
        raise ValueError(f"no half hash is defined for {alg!r}")
    digest = _HALF_HASHES[alg](value.encode("ascii")).digest()
    return ids.b64(digest[: len(digest) // 2])
