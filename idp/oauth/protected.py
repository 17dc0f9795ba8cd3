"""The way to what the issuer itself protects: an access token as it is presented, and with it what it is bound to.

A token that is bound to a key is worth nothing without a proof of that key, and one that is bound to none does not
pass for a bound one (RFC 9449 §7.1). Every resource of ours asks here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from idp import clock
from idp.accounts import assurance
from idp.errors import InsufficientScope, InsufficientUserAuthentication, InvalidToken, Refusal
from idp.ids import same
from idp.oauth import binding as bindings
from idp.oauth import metadata, mutual
from idp.oauth.binding import JKT, certificate, dpop
from idp.oauth.tokens import access
from idp.oauth.tokens.access import AccessToken
from idp.store.database import transaction
from idp.tenants import current

BEARER, DPOP = "bearer", "dpop"


@dataclass(frozen=True, slots=True)
class Presented:
    """What came with a request to a resource of ours; `path` lies below the issuer, no slash before it."""

    method: str
    path: str
    token: str | None = None
    scheme: str = BEARER
    """As the Authorization header names it, in lower case; a token in a form is a Bearer one (RFC 6750 §2.2)."""
    proof: str | None = None
    """The DPoP header."""
    certificate: str | None = None
    """Of the connection, in PEM, from a proxy that is trusted to say so."""


@contextmanager
def admitted(presented: Presented) -> Iterator[AccessToken]:
    """The token, presented by whoever it is bound to, and alive in the transaction in which the block reads.

    What it and the block raise of InvalidToken, InsufficientScope, InsufficientUserAuthentication, InvalidDpopProof and
    UseDpopNonce has its challenge.
    """
    if not presented.token:
        raise InvalidToken(
            "An access token is needed.",
            rule="userinfo.token",
            expected="an access token in the Authorization header or the form",
            got="none",
            headers=challenge(),
        )
    try:
        found = access.signed(presented.token)
        _bound(found.claims, presented, presented.token)
        with transaction(readonly=True):
            good = access.living(found)
            _sure(good)
            yield good
    except (
        InvalidToken,
        InsufficientScope,
        InsufficientUserAuthentication,
        dpop.InvalidDpopProof,
        dpop.UseDpopNonce,
    ) as refusal:
        raise challenged(refusal, presented) from refusal


def _sure(good: AccessToken) -> None:
    """The sign-in behind the token is of the class and the age that the tenant asks for (RFC 9470 §4).

    Raises InsufficientUserAuthentication.
    """
    policy = current().policy
    if good.grant is None:
        return
    age = clock.now() - good.grant.auth_time
    weak = assurance.level(good.grant.acr) < assurance.level(policy.resource_acr)
    if weak or (policy.resource_max_age and age.total_seconds() > policy.resource_max_age):
        raise InsufficientUserAuthentication(
            rule="resource.acr" if weak else "resource.max_age",
            expected=policy.resource_acr if weak else policy.resource_max_age,
            got=good.grant.acr if weak else int(age.total_seconds()),
            setting="policy.resource_acr" if weak else "policy.resource_max_age",
        )


def _wanted() -> list[str]:
    """What a client is to ask for (RFC 9470 §3)."""
    policy = current().policy
    acr = [f'acr_values="{policy.resource_acr}"'] if policy.resource_acr != assurance.ONE else []
    return acr + ([f'max_age="{policy.resource_max_age}"'] if policy.resource_max_age else [])


def _bound(claims: dict[str, Any], presented: Presented, token: str) -> None:
    bound = bindings.of(claims.get("cnf"))
    by_key = bound is not None and bound.member == JKT
    if by_key != (presented.scheme == DPOP) or (bound is None and "cnf" in claims):
        raise InvalidToken(rule="binding.scheme", expected=DPOP if by_key else BEARER, got=presented.scheme)
    if bound is not None and by_key:
        _proved(presented, token, bound.thumbprint)
    elif bound is not None and certificate.shown(presented.certificate) != bound:
        got = "no certificate" if presented.certificate is None else "another certificate"
        raise InvalidToken(rule="binding.certificate", expected=bound.thumbprint, got=got)  # RFC 8705 §3


def _proved(presented: Presented, token: str, thumbprint: str) -> None:
    """The request's proof is of the key with this thumbprint, for this token, and new (RFC 9449 §7.1)."""
    if presented.proof is None:
        raise dpop.InvalidDpopProof(
            rule="dpop.present", expected="a DPoP header", got="none", headers=dpop.told()
        )
    seen = dpop.read(presented.proof, presented.method, mutual.places(presented.path), token)
    if not same(seen.binding.thumbprint, thumbprint):
        raise InvalidToken(rule="binding.key", expected=thumbprint, got=seen.binding.thumbprint)
    dpop.once(seen)


def told(presented: Presented) -> dict[str, str]:
    """What an answer says beside its content: the nonce for the next proof (RFC 9449 §9)."""
    return dpop.told() if presented.scheme == DPOP else {}


def challenged(refusal: Refusal, presented: Presented) -> Refusal:
    """The same refusal as a resource says it: with its challenge, and 401 where the proof is at fault."""
    if not isinstance(refusal, InsufficientScope):
        refusal.status = 401
    refusal.headers.update(challenge(refusal, presented.scheme))
    return refusal


def challenge(refusal: Refusal | None = None, scheme: str = BEARER) -> dict[str, str]:
    """The `WWW-Authenticate` of a protected resource (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1).

    Where no token came no error is named, and both ways to present one are told.
    """
    issuer = current().issuer
    common = [f'realm="{issuer}"', f'resource_metadata="{metadata.resource_address(issuer)}"']
    said = []
    if refusal is not None:
        said = [f'error="{refusal.code}"', f'error_description="{refusal.description}"']
        said += _wanted() if isinstance(refusal, InsufficientUserAuthentication) else []
    by_key = [*common, f'algs="{" ".join(dpop.ALGORITHMS)}"']
    ways = {BEARER: ", ".join([*common, *said]), DPOP: ", ".join([*by_key, *said])}
    if refusal is None:
        return {"WWW-Authenticate": f"Bearer {ways[BEARER]}, DPoP {ways[DPOP]}"}
    if refusal.rule == "binding.scheme" and scheme == BEARER:
        return {"WWW-Authenticate": f"DPoP {ways[DPOP]}"}
    return {"WWW-Authenticate": f"{'DPoP' if scheme == DPOP else 'Bearer'} {ways[scheme]}"}
