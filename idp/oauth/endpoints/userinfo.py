"""UserInfo (OpenID Connect Core 1.0 §5.3): the person's claims, for a token whose audience holds the issuer."""

from typing import Any

from idp import directory
from idp.accounts import claims
from idp.errors import InsufficientScope, InvalidToken, Refusal
from idp.oauth.tokens import access
from idp.store.database import transaction
from idp.tenants import current


def answer(token: str | None) -> dict[str, Any]:
    """The claims. Raises InvalidToken, InsufficientScope, each with `WWW-Authenticate` (RFC 6750 §3)."""
    if not token:
        raise InvalidToken(
            "An access token is needed.",
            rule="userinfo.token",
            expected="an access token in the Authorization header or the form",
            got="none",
            headers=challenge(None),
        )
    try:
        with transaction(readonly=True):
            return _claims(token)
    except (InvalidToken, InsufficientScope) as refusal:
        refusal.headers.update(challenge(refusal))
        raise


def _claims(token: str) -> dict[str, Any]:
    good = access.read(token)
    if not set(current().issuers) & set(good.audience) or good.user is None or good.grant is None:
        raise InvalidToken(rule="userinfo.audience", expected=current().issuer, got=list(good.audience))
    if "openid" not in good.scopes:
        raise InsufficientScope(rule="userinfo.scope", expected="openid", got=list(good.scopes))
    told = claims.for_user(
        good.user,
        good.scopes,
        requested=good.grant.claims.get("userinfo") or {},
        where="userinfo",
        client=good.client,
        apis=directory.apis(),
    )
    return {**told, "sub": str(good.user.id)}


def challenge(refusal: Refusal | None) -> dict[str, str]:
    """The `WWW-Authenticate` of a protected resource (RFC 6750 §3); no error is named when no token came."""
    parts = [f'realm="{current().issuer}"']
    if refusal is not None:
        parts += [f'error="{refusal.code}"', f'error_description="{refusal.description}"']
    return {"WWW-Authenticate": "Bearer " + ", ".join(parts)}
