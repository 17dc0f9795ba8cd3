"""Revocation (RFC 7009): a client ends a token of its own. Unknown, foreign and dead tokens answer 200 alike.

Revoking a refresh token ends its whole grant with every access token; revoking an access token ends that one, and what
was exchanged from it.
"""

from typing import Any

from authlib.oauth2.rfc7009 import RevocationEndpoint

from idp import audit, clock
from idp.audit import Actor, Event
from idp.errors import InvalidToken
from idp.ids import digest
from idp.oauth import client_auth
from idp.oauth.endpoints.introspection import presented
from idp.oauth.request import ProtocolRequest
from idp.oauth.tokens import access, refresh
from idp.signing import jwt
from idp.store.database import again, transaction
from idp.store.durable import grants
from idp.store.durable.clients import Client


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Authlib's endpoint, with its own way to authenticate and to revoke."""

    def create_endpoint_response(
        self, request: ProtocolRequest
    ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Status, document, headers. Raises Refusal when the client is refused or the store is away."""
        client = client_auth.authenticate(request)
        token = presented(request)
        if token.startswith(refresh.PREFIX):
            _refresh(token, client, request)
        else:
            _access(token, client, request)
        return 200, {}, []

    __call__ = create_endpoint_response


@again
def _refresh(token: str, client: Client, request: ProtocolRequest) -> None:
    if not refresh.wellformed(token):
        return
    with transaction():
        found = grants.by_refresh(digest(token), held=True)
        if found is None or found[1].client_id != client.id:
            return
        if grants.revoke(found[1].id, "revoked by the client"):
            actor = Actor("client", client.client_id, request.address)
            facts = {"grant_id": found[1].id, "user_id": found[1].user_id, "why": "revoked by the client"}
            audit.record(Event.GRANT_REVOKED, actor, **facts)


@again
def _access(token: str, client: Client, request: ProtocolRequest) -> None:
    try:
        claims = jwt.verify(token, typ=access.TYPES, audience=None)
    except InvalidToken:
        return
    if claims.get("client_id") != client.client_id or not isinstance(claims.get("jti"), str):
        return
    with transaction():
        grants.revoke_token(claims["jti"], clock.from_instant(claims["exp"]), access.grant_of(claims["jti"]))
        audit.record(
            Event.TOKEN_REVOKED, Actor("client", client.client_id, request.address), jti=claims["jti"]
        )
