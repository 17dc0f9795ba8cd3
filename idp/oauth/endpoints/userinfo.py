"""UserInfo (OpenID Connect Core 1.0 §5.3): the person's claims, for a token whose audience holds the issuer.

A client that registered `userinfo_signed_response_alg` or an encryption gets them as a JWT. That has neither `exp` nor
`iat`, so that nobody can take it for an ID token, here or at the client (RFC 8725 §3.12).
"""

import json
from typing import Any

from idp import directory
from idp.accounts import claims, subjects
from idp.errors import InsufficientScope, InvalidToken
from idp.oauth import encryption, protected
from idp.oauth.protected import Presented
from idp.oauth.tokens.access import AccessToken
from idp.registration import fapi
from idp.signing import jwt
from idp.store.durable.clients import Client
from idp.tenants import current


def answer(presented: Presented) -> dict[str, Any] | str:
    """The claims, or a JWT that says them (§5.3.2), as the client registered it.

    Raises InvalidToken, InsufficientScope and those of `protected.admitted`, each with its challenge.
    """
    with protected.admitted(presented) as good:
        client, told = _claims(good)
    registered = client.metadata.get("userinfo_signed_response_alg")
    alg = None if registered is None else fapi.alg(client, registered, "")
    encryption.ready(client, encryption.USERINFO)
    if alg is None and not encryption.wanted(client, encryption.USERINFO):
        return told
    # iss and aud come last: no claim of a person or of a rule stands in their place.
    claims = {**told, "iss": current().issuer, "aud": client.client_id}
    text = json.dumps(claims) if alg is None else jwt.sign(claims, alg=alg, typ="JWT")
    return encryption.sealed(client, encryption.USERINFO, text, nested=alg is not None)


def _claims(good: AccessToken) -> tuple[Client, dict[str, Any]]:
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
        locales=good.grant.claims.get("locales") or (),
    )
    return good.client, {**told, "sub": subjects.of(good.client, good.user.id)}
