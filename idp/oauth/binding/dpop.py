"""Proofs of possession (RFC 9449): a small JWT beside a request, by which its sender shows that it holds a key.

A proof is for one request: its method, its address, and where an access token is presented, that token. It is fresh
within the skew that all clients' clocks are granted, and counts once: its `jti` is marked in Redis for as long as it
could come again, and in Postgres while Redis is away or was a moment ago. This process remembers what it has seen
besides, so that a Redis that comes back empty gives a thief nothing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idp import clock
from idp.errors import InvalidToken, Refusal
from idp.ids import b64, digest, same
from idp.memory import Recent
from idp.oauth.binding import JKT, Binding, nonces
from idp.oauth.binding.addresses import normalised
from idp.registration import keys as client_keys
from idp.signing import foreign, keys, parts
from idp.signing.cache import JoseKey
from idp.signing.checks import Check, Table, no
from idp.store.database import again
from idp.store.durable import marks
from idp.store.ephemeral import replays
from idp.store.redis import Away
from idp.tenants import current

ALGORITHMS = ("ES256", "PS256", "EdDSA")
"""What a proof may be signed with; RS256 is left out as FAPI 2.0 §5.4.1 does."""
TYPE = "dpop+jwt"
HEADER = "DPoP-Nonce"
MARK = "dpop"
_LONGEST, _LONGEST_JTI = 8_192, 256
_seen: Recent[bytes, int] = Recent(20_000)


class InvalidDpopProof(Refusal):
    """RFC 9449 §5, §7.1."""

    code = "invalid_dpop_proof"
    description = "The DPoP proof is malformed, is for another request, is too old, or was used before."


class UseDpopNonce(Refusal):
    """RFC 9449 §8, §9."""

    code = "use_dpop_nonce"
    description = "The DPoP proof needs the nonce of the DPoP-Nonce header."


@dataclass(slots=True)
class Proof:
    """A proof, the request that it is to be for, and what the checks have found so far."""

    text: str
    method: str
    places: tuple[str, ...]
    """The request's address, without query, as discovery names it: there may be an alias (RFC 8705 §5)."""
    moment: int
    token: str | None = None
    """The access token that is presented with it."""
    header: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""
    signed: bytes = b""
    signature: bytes = b""
    alg: str = ""
    key: JoseKey | None = None
    claims: dict[str, Any] = field(default_factory=dict)

    @property
    def binding(self) -> Binding:
        """The key that it proves (RFC 7638)."""
        if self.key is None:
            raise AssertionError("jwk comes first")
        return Binding(JKT, self.key.thumbprint())


def _form(seen: Proof) -> None:
    # Two headers reach us as one with a comma (RFC 9110 §5.3), which is no proof.
    if len(seen.text) > _LONGEST:
        raise no("dpop.size", expected=_LONGEST, got=len(seen.text))
    seen.header, seen.payload, seen.signed, seen.signature = parts.split(seen.text)


def _typ(seen: Proof) -> None:
    kind = seen.header.get("typ")
    if not isinstance(kind, str) or kind.lower() != TYPE:
        raise no("dpop.typ", expected=TYPE, got=kind)


def _alg(seen: Proof) -> None:
    alg = seen.header.get("alg")
    if not isinstance(alg, str) or keys.canonical(alg) not in ALGORITHMS:
        raise no("dpop.alg", expected=ALGORITHMS, got=alg)
    seen.alg = keys.canonical(alg)


def _jwk(seen: Proof) -> None:
    try:
        public = client_keys.public_key(seen.header.get("jwk"))
    except ValueError as problem:
        raise no("dpop.jwk", expected=str(problem)) from None
    seen.key = foreign.imported(public, seen.alg)


def _signature(seen: Proof) -> None:
    if seen.key is None:
        raise AssertionError("jwk comes first")
    parts.check_signature(seen.alg, seen.key, seen.signed, seen.signature)


def _payload(seen: Proof) -> None:
    seen.claims = parts.json_object(seen.payload, "dpop.payload")


def _jti(seen: Proof) -> None:
    jti = seen.claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
        raise no("dpop.jti", expected=f"a string of 1 to {_LONGEST_JTI} characters", got=jti)


def _htm(seen: Proof) -> None:
    if seen.claims.get("htm") != seen.method:
        raise no("dpop.htm", expected=seen.method, got=seen.claims.get("htm"))


def _htu(seen: Proof) -> None:
    given = seen.claims.get("htu")
    if normalised(given) not in [normalised(place) for place in seen.places]:
        raise no("dpop.htu", expected=seen.places, got=given)


def _times(seen: Proof) -> None:
    parts.check_numbers(seen.claims, needs_iat=True, needs_exp=False)
    iat, now = seen.claims["iat"], seen.moment
    if abs(iat - now) > parts.SKEW:
        raise no("dpop.iat", expected=f"within {parts.SKEW} s of {now}", got=iat)
    if seen.claims.get("exp", now) + parts.SKEW < now:
        raise no("dpop.exp", expected=f"after {now}", got=seen.claims["exp"])
    parts.check_not_ahead(seen.claims, "nbf", now)


def _ath(seen: Proof) -> None:
    if seen.token is None:
        return
    wanted, given = b64(digest(seen.token)), seen.claims.get("ath")
    if not isinstance(given, str) or not given.isascii() or not same(wanted, given):
        raise no("dpop.ath", expected="the hash of the access token", got=given)


PROOF = Table[Proof](
    Check("form", _form),
    Check("typ", _typ, ("form",)),
    Check("alg", _alg, ("form",)),
    Check("jwk", _jwk, ("alg",)),
    Check("signature", _signature, ("jwk",)),
    Check("payload", _payload, ("form",)),
    Check("jti", _jti, ("payload",)),
    Check("htm", _htm, ("payload",)),
    Check("htu", _htu, ("payload",)),
    Check("times", _times, ("payload",)),
    Check("ath", _ath, ("payload",)),
)
"""RFC 9449 §4.3, in the order in which they count; the nonce and the replay come after."""


def read(text: str, method: str, places: tuple[str, ...], token: str | None = None) -> Proof:
    """The proof `text` of a request, good but for its replay. Raises InvalidDpopProof, UseDpopNonce."""
    seen = Proof(text, method, places, clock.epoch(), token)
    try:
        PROOF.hold(seen)
    except InvalidToken as refusal:
        raise _invalid(str(refusal.rule), refusal.expected, refusal.got) from None
    _nonce(seen.claims)
    return seen


def _invalid(rule: str, expected: object = None, got: object = None) -> InvalidDpopProof:
    rule = rule.replace("token.", "dpop.").replace("assertion.", "dpop.")
    return InvalidDpopProof(rule=rule, expected=expected, got=got, headers=told())


def _nonce(claims: Mapping[str, Any]) -> None:
    """One that is there is one of ours; there is one where the tenant wants that."""
    given = claims.get("nonce")
    if given is None and not current().policy.require_dpop_nonce:
        return
    if not isinstance(given, str) or not nonces.good(given):
        raise UseDpopNonce(
            rule="dpop.nonce",
            expected="a nonce of the last minutes",
            got="none" if given is None else "another",
            setting="policy.require_dpop_nonce",
            headers={HEADER: nonces.fresh()},
        )


def told() -> dict[str, str]:
    """The header with the nonce for the next proof, where the tenant wants one (RFC 9449 §8.2)."""
    return {HEADER: nonces.fresh()} if current().policy.require_dpop_nonce else {}


def once(seen: Proof) -> None:
    """Use the proof up. Raises InvalidDpopProof where it was used before, Away when nobody can tell."""
    name = digest(f"{current().id}:{seen.binding.thumbprint}:{seen.claims['jti']}")
    # It is good until then, whichever way the clocks differ.
    until = int(seen.claims["iat"]) + parts.SKEW + 1
    here = (_seen.get(name) or 0) < seen.moment
    _seen.put(name, until)
    if not here or not _first(name, until, until - seen.moment + parts.SKEW):
        raise _invalid("dpop.replay", "a proof that is used once", "one that was used before")


def _first(name: bytes, until: int, lifetime: int) -> bool:
    try:
        first = replays.first(name.hex(), lifetime)
    except Away:
        return _marked(name, until)
    # What was used while Redis was away is marked in Postgres alone.
    return first and (not replays.doubtful() or _marked(name, until))


@again
def _marked(name: bytes, until: int) -> bool:
    return marks.leave(MARK, name, clock.from_instant(until))


def forget() -> None:
    """Forget what this process has seen: between tests."""
    _seen.clear()
