"""Introspection (RFC 7662): is this token good, for a client that may know.

A client may introspect a token issued to it, or one whose audience has an API that lists it; everyone else
gets exactly `{"active": false}`. A token_type_hint is only a hint.
"""

from typing import Any

from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from idp import directory
from idp.accounts import subjects
from idp.errors import InvalidRequest, InvalidToken, TooLarge
from idp.oauth import binding, client_auth
from idp.oauth.request import ProtocolRequest
from idp.oauth.tokens import access, refresh
from idp.store.database import transaction
from idp.store.durable.clients import Client
from idp.tenants import current

INACTIVE: dict[str, Any] = {"active": False}
LONGEST = 16_384
"""Characters of a token that are looked at."""


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """Authlib's endpoint, with its own way to authenticate and to read."""

    def create_endpoint_response(
        self, request: ProtocolRequest
    ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Status, document, headers. Raises Refusal when the client itself is refused."""
        client = client_auth.authenticate(request, public=False)
        token = presented(request)
        with transaction(readonly=True):
            return 200, _look(token, client), []

    __call__ = create_endpoint_response


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
