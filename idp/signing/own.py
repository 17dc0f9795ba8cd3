"""The checks of a token that a tenant signed itself, in the order in which they count."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from idp import clock
from idp.signing import cache, keys, parts
from idp.signing.checks import Check, Table, no
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Tenant


@dataclass(slots=True)
class Own:
    """A token that is to be one of `tenant`, which is entered, and what the checks have found out so far."""

    token: object
    tenant: Tenant
    typ: Collection[str]
    """Header types that are admitted (RFC 8725 §3.11)."""
    audience: str | None
    """What `aud` must hold; None to leave that to the caller."""
    moment: int
    """Seconds since 1970."""
    expired_is_fine: bool = False
    header: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""
    signed: bytes = b""
    signature: bytes = b""
    row: SigningKey | None = None
    claims: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> SigningKey:
        """The key that `kid` has found."""
        if self.row is None:
            raise AssertionError("kid comes first")
        return self.row


def _form(seen: Own) -> None:
    seen.header, seen.payload, seen.signed, seen.signature = parts.split(seen.token)


def _header(seen: Own) -> None:
    header = seen.header
    if set(header) != {"alg", "kid", "typ"}:
        raise no("token.header", expected="alg, kid and typ", got=sorted(header))
    odd = {name: type(value).__name__ for name, value in header.items() if not isinstance(value, str)}
    if odd:
        raise no("token.header", expected="alg, kid and typ as texts", got=odd)


def _typ(seen: Own) -> None:
    if seen.header["typ"] not in seen.typ:
        raise no("token.typ", expected=sorted(seen.typ), got=seen.header["typ"])


def _kid(seen: Own) -> None:
    row = cache.load(seen.tenant.signer).by_kid.get(seen.header["kid"])
    if row is not None and row.alg in keys.ENCRYPTION:
        row = None
    if row is None or keys.state(row, clock.now()) not in keys.PUBLISHED:
        raise no("token.kid", expected="a published key of the tenant", got=seen.header["kid"])
    seen.row = row


def _alg(seen: Own) -> None:
    if seen.header["alg"] != seen.key.alg:
        raise no("token.alg", expected=seen.key.alg, got=seen.header["alg"])


def _signature(seen: Own) -> None:
    key = cache.public_key(seen.key, seen.tenant.signer.id)
    parts.check_signature(seen.key.alg, key, seen.signed, seen.signature)


def _payload(seen: Own) -> None:
    seen.claims = parts.json_object(seen.payload, "token.payload")


def _iss(seen: Own) -> None:
    if seen.claims.get("iss") not in seen.tenant.issuers:
        raise no("token.iss", expected=list(seen.tenant.issuers), got=seen.claims.get("iss"))


def _tenant(seen: Own) -> None:
    for name, wanted in (("tenant", seen.tenant.slug), ("tenant_id", str(seen.tenant.id))):
        if name in seen.claims and seen.claims[name] != wanted:
            raise no(f"token.{name}", expected=wanted, got=seen.claims[name])


def _numbers(seen: Own) -> None:
    parts.check_numbers(seen.claims, needs_iat=True)


def _exp(seen: Own) -> None:
    if seen.claims["exp"] <= seen.moment and not seen.expired_is_fine:
        raise no("token.exp", expected=f"after {seen.moment}", got=seen.claims["exp"])


def _iat(seen: Own) -> None:
    parts.check_not_ahead(seen.claims, "iat", seen.moment)


def _nbf(seen: Own) -> None:
    parts.check_not_ahead(seen.claims, "nbf", seen.moment)


def _lifetime(seen: Own) -> None:
    longest, lifetime = keys.LONGEST_TOKEN.total_seconds(), seen.claims["exp"] - seen.claims["iat"]
    if lifetime > longest:
        raise no("token.lifetime", expected=longest, got=lifetime)


def _texts(seen: Own) -> None:
    parts.check_texts(seen.claims)


def _aud(seen: Own) -> None:
    parts.check_audience(seen.claims, None if seen.audience is None else {seen.audience})


OWN = Table[Own](
    Check("form", _form),
    Check("header", _header, ("form",)),
    Check("typ", _typ, ("header",)),
    Check("kid", _kid, ("header",)),
    Check("alg", _alg, ("kid",)),
    Check("signature", _signature, ("alg",)),
    Check("payload", _payload, ("form",)),
    Check("iss", _iss, ("payload",)),
    Check("tenant", _tenant, ("payload",)),
    Check("times", _numbers, ("payload",)),
    Check("exp", _exp, ("times",)),
    Check("iat", _iat, ("times",)),
    Check("nbf", _nbf, ("times",)),
    Check("lifetime", _lifetime, ("times",)),
    Check("texts", _texts, ("payload",)),
    Check("aud", _aud, ("payload",)),
)
