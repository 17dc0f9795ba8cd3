"""client_credentials (RFC 6749 §4.4): a service in its own name. No person, no refresh token, no ID token.

Touches neither Postgres nor Redis: client, APIs and keys are in memory, at most a second old, and the record
goes through the journal's bounded queue.
"""

from typing import Any

from authlib.oauth2.rfc6749 import grants as base

from idp import journal, throttle
from idp.errors import InvalidScope, UnauthorizedClient
from idp.oauth import client_auth, issue, scopes
from idp.oauth.request import ProtocolRequest
from idp.store.durable.clients import Client


class ClientCredentials(base.ClientCredentialsGrant):  # type: ignore[misc]
    """Authlib's grant with our authentication, scopes and mint."""

    request: ProtocolRequest

    def validate_token_request(self) -> None:
        """Authenticate, then decide on the scopes. Raises Refusal."""
        client = client_auth.authenticate(self.request, public=False)
        if self.GRANT_TYPE not in client.grant_types:
            raise UnauthorizedClient(
                rule="client.grant_types", got=self.GRANT_TYPE, setting="client.grant_types"
            )
        throttle.budget("tokens")
        self.granted, self.resources = _granted(client, self.request)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Mint, and hand the record to the journal. Raises Busy when its queue is full."""
        client = self.request.client
        order = issue.Order(
            self.GRANT_TYPE, client, self.granted, self.resources, binding=self.request.binding
        )
        body = issue.mint(order)
        journal.issued(client.id, self.GRANT_TYPE, self.granted)
        return 200, body, []


def _granted(client: Client, request: ProtocolRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    asked = scopes.split(request.form.get("scope"))
    granted: tuple[tuple[str, ...], tuple[str, ...]] = _decided(client, asked, request.resources)
    return granted


@scopes.remembered
def _decided(
    client: Client, asked: tuple[str, ...], wanted: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The scopes and resources of a token in the client's own name. Raises InvalidScope, InvalidTarget."""
    resources = scopes.resources(client, wanted)
    personal = [scope for scope in asked if scope in scopes.STANDARD]
    if personal:
        raise InvalidScope(
            "A scope that concerns a person cannot be granted to a client alone.",
            rule="scope.personal",
            got=personal,
        )
    granted = scopes.within(client, scopes.grantable(client, asked) if asked else _all(client), resources)
    if not granted:
        raise InvalidScope(
            "There is no scope to grant.", rule="scope.known", got=list(asked), setting="api.grants"
        )
    return granted, resources


def _all(client: Client) -> tuple[str, ...]:
    return tuple(sorted(scopes.allowed(client) - set(scopes.STANDARD)))
