"""Introspection (RFC 7662): is this token good, for a client that may know.

A client may introspect a token issued to it, or one whose audience has an API that lists it; everyone else
gets exactly `{"active": false}`. A token_type_hint is only a hint.

Whoever accepts `application/token-introspection+jwt` gets the very same as a signed JWT, encrypted where it registered
that (RFC 9701): an answer that a service can keep as evidence.
"""

from typing import Any

from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from idp import clock, directory
from idp.accounts import subjects
from idp.errors import InvalidRequest, InvalidToken, TooLarge
from idp.oauth import binding, client_auth, encryption
from idp.oauth.request import ProtocolRequest
from idp.oauth.tokens import access, refresh
from idp.registration import fapi
from idp.signing import jwt
from idp.store.database import transaction
from idp.store.durable.clients import Client
from idp.tenants import current

INACTIVE: dict[str, Any] = {"active": False}
TYPE = "token-introspection+jwt"
JWT = f"application/{TYPE}"
"""How the answer is called that is a JWT (RFC 9701 §4)."""
LONGEST = 16_384
"""Characters of a token that are looked at."""


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """Authlib's endpoint, with its own way to authenticate and to read."""

    def create_endpoint_response(
        self, request: ProtocolRequest
    ) -> tuple[int, dict[str, Any] | str, list[tuple[str, str]]]:
        """Status, document, headers. Raises Refusal when the client itself is refused."""
        client = client_auth.authenticate(request, public=False)
        token = presented(request)
        if not request.wants_jwt:
            with transaction(readonly=True):
                return 200, _look(token, client), []
        encryption.ready(client, encryption.INTROSPECTION)
        with transaction(readonly=True):
            told = _look(token, client)
        return 200, _sealed(told, client), [("Content-Type", JWT)]

    __call__ = create_endpoint_response


def _sealed(told: dict[str, Any], client: Client) -> str:
    """`told` as a JWT for this client alone (RFC 9701 §5): neither `sub` nor `exp`, so that it is no token itself."""
    registered = client.metadata.get("introspection_signed_response_alg")
    alg = fapi.alg(client, registered, current().policy.id_token_signing_alg)
    claims = {
        "iss": current().issuer,
        "aud": client.client_id,
        "iat": clock.epoch(),
        "token_introspection": told,
    }
    signed = jwt.sign(claims, alg=alg, typ=TYPE)
    return encryption.sealed(client, encryption.INTROSPECTION, signed, nested=True)


def presented(request: ProtocolRequest) -> str:
    """The `token` parameter. Raises InvalidRequest, TooLarge."""
    token = request.form.get("token")
    if token is None:
        raise InvalidRequest("token is missing.", rule="token.present")
    if len(token) > LONGEST:
        raise TooLarge(code="invalid_request", rule="token.length", expected=LONGEST)
    return token


def _look(token: str, client: Client) -> dict[str, Any]:
    return _refresh(token, client) if token.startswith(refresh.PREFIX) else _access(token, client)


def _access(token: str, client: Client) -> dict[str, Any]:
    try:
        good = access.read(token)
    except InvalidToken:
        return INACTIVE
    if good.client.id != client.id and not _listed(client, good.audience):
        return INACTIVE
    bound = binding.of(good.claims.get("cnf"))
    return {"active": True, "token_type": "Bearer" if bound is None else bound.token_type, **good.claims}


def _listed(client: Client, audience: tuple[str, ...]) -> bool:
    return any(
        api.identifier in audience and client.client_id in api.introspected_by for api in directory.apis()
    )


def _refresh(token: str, client: Client) -> dict[str, Any]:
    try:
        found = refresh.read(token)
    except InvalidToken:
        return INACTIVE
    row, grant = found.row, found.grant
    if grant.client_id != client.id:
        return INACTIVE
    return {
        "active": True,
        "iss": current().issuer,
        "client_id": client.client_id,
        "sub": subjects.of(client, grant.user_id),
        "scope": " ".join(grant.scopes),
        "exp": int(row.expires_at.timestamp()),
        "iat": int(row.created_at.timestamp()),
        **({} if grant.cnf is None else {"cnf": grant.cnf}),
    }
