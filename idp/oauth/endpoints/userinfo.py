"""UserInfo (OpenID Connect Core 1.0 §5.3): the person's claims, for a token whose audience holds the issuer.

A client that registered `userinfo_signed_response_alg` or an encryption gets them as a JWT. That has neither `exp` nor
`iat`, so that nobody can take it for an ID token, here or at the client (RFC 8725 §3.12).
"""

import json
from typing import Any

from idp import directory
from idp.accounts import claims, subjects
from idp.errors import InsufficientScope, InvalidToken, Refusal
from idp.oauth import encryption, metadata
from idp.oauth.tokens import access
from idp.signing import jwt
from idp.store.database import transaction
from idp.store.durable.clients import Client
from idp.tenants import current


def answer(token: str | None) -> dict[str, Any] | str:
    """The claims, or a JWT that says them (§5.3.2), as the client registered it.

    Raises InvalidToken, InsufficientScope, each with `WWW-Authenticate` (RFC 6750 §3).
    """
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
            client, told = _claims(token)
    except (InvalidToken, InsufficientScope) as refusal:
        refusal.headers.update(challenge(refusal))
        raise
    alg = client.metadata.get("userinfo_signed_response_alg")
    encryption.ready(client, encryption.USERINFO)
    if alg is None and not encryption.wanted(client, encryption.USERINFO):
        return told
    # iss and aud come last: no claim of a person or of a rule stands in their place.
    claims = {**told, "iss": current().issuer, "aud": client.client_id}
    text = json.dumps(claims) if alg is None else jwt.sign(claims, alg=alg, typ="JWT")
    return encryption.sealed(client, encryption.USERINFO, text, nested=alg is not None)


def _claims(token: str) -> tuple[Client, dict[str, Any]]:
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
    return good.client, {**told, "sub": subjects.of(good.client, good.user.id)}


def challenge(refusal: Refusal | None) -> dict[str, str]:
    """The `WWW-Authenticate` of a protected resource (RFC 6750 §3, RFC 9728 §5.1).

    No error is named when no token came.
    """
    issuer = current().issuer
    parts = [f'realm="{issuer}"', f'resource_metadata="{metadata.resource_address(issuer)}"']
    if refusal is not None:
        parts += [f'error="{refusal.code}"', f'error_description="{refusal.description}"']
    return {"WWW-Authenticate": "Bearer " + ", ".join(parts)}
