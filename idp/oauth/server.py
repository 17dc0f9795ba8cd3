"""The list of everything we speak: grants, response modes, client authentication methods, endpoints.

Read this first. Discovery is derived from it (`idp.oauth.metadata`), so it cannot lie. The server is
Authlib's, framework-free: it finds the grant or endpoint for a request; ours are registered below. One
server serves all tenants, since whoever it asks answers for the tenant that is entered.
"""

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer

from idp import directory
from idp.errors import InvalidRequest, InvalidTarget, Refusal, UnsupportedGrantType
from idp.oauth import moving
from idp.oauth.checks.openid import PROMPTS
from idp.oauth.checks.pkce import METHODS as CODE_CHALLENGE_METHODS
from idp.oauth.checks.response import RESPONSE_MODES
from idp.oauth.checks.scope import MOST_RESOURCES
from idp.oauth.client_auth import spoken as client_auth_methods
from idp.oauth.client_auth.private_key_jwt import ALGORITHMS as ASSERTION_ALGORITHMS
from idp.oauth.endpoints.backchannel_authentication import begin as backchannel_authentication
from idp.oauth.endpoints.device_authorization import begin as device_authorization
from idp.oauth.endpoints.introspection import Introspection
from idp.oauth.endpoints.par import push
from idp.oauth.endpoints.revocation import Revocation
from idp.oauth.grants.authorization_code import AuthorizationCode
from idp.oauth.grants.ciba import Ciba
from idp.oauth.grants.client_credentials import ClientCredentials
from idp.oauth.grants.device_code import DeviceCode
from idp.oauth.grants.jwt_bearer import JwtBearer
from idp.oauth.grants.refresh_token import RefreshTokenGrant
from idp.oauth.grants.token_exchange import TokenExchange
from idp.oauth.request import Answer, ProtocolRequest
from idp.registration import ALGORITHMS as REQUEST_OBJECT_ALGORITHMS
from idp.store.durable.clients import Client

GRANTS = (AuthorizationCode, RefreshTokenGrant, ClientCredentials, DeviceCode, Ciba, TokenExchange, JwtBearer)
ENDPOINTS = (Introspection, Revocation)
GRANT_TYPES = tuple(str(grant.GRANT_TYPE) for grant in GRANTS)

__all__ = [
    "ASSERTION_ALGORITHMS",
    "CODE_CHALLENGE_METHODS",
    "GRANT_TYPES",
    "PROMPTS",
    "REQUEST_OBJECT_ALGORITHMS",
    "RESPONSE_MODES",
    "backchannel_authentication",
    "client_auth_methods",
    "device_authorization",
    "introspect",
    "push",
    "revoke",
    "token",
]


class Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server, asking the directory for clients and answering without a framework."""

    def query_client(self, client_id: str) -> Client | None:
        """The client of the entered tenant."""
        return directory.client(client_id)

    def save_token(self, token: dict[str, Any], request: ProtocolRequest) -> None:
        """Nothing: the mint has kept what must be kept, in one transaction, before Authlib sees a token."""

    def create_oauth2_request(self, request: ProtocolRequest) -> ProtocolRequest:
        """The request is typed already."""
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        """The answer as the doors write it."""
        return Answer(body, status, dict(headers))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nothing listens: what happened is audited where it happens."""


def _server() -> Server:
    server = Server()
    for grant in GRANTS:
        server.register_grant(grant)
    for endpoint in ENDPOINTS:
        server.register_endpoint(endpoint)
    return server


SERVER = _server()


def token(request: ProtocolRequest) -> Answer:
    """The token endpoint (RFC 6749 §3.2). Raises Refusal."""
    grant_type = request.form.get("grant_type")
    if grant_type is None:
        raise InvalidRequest("grant_type is missing.", rule="grant_type.present", expected=GRANT_TYPES)
    if grant_type not in GRANT_TYPES:
        raise UnsupportedGrantType(rule="grant_type.known", expected=GRANT_TYPES, got=grant_type[:64])
    if len(request.resources) > MOST_RESOURCES:
        raise InvalidTarget("There are too many resources.", rule="resource.count", expected=MOST_RESOURCES)
    grant = SERVER.get_token_grant(request)
    try:
        grant.validate_token_request()
        status, body, headers = grant.create_token_response()
        moving.note(request.client)
    except OAuth2Error as error:
        raise _ours(error) from error
    return SERVER.handle_response(status, body, [*headers, *request.told.items()])


def introspect(request: ProtocolRequest) -> Answer:
    """The introspection endpoint (RFC 7662). Raises Refusal."""
    return _endpoint("introspection", request)


def revoke(request: ProtocolRequest) -> Answer:
    """The revocation endpoint (RFC 7009). Raises Refusal."""
    return _endpoint("revocation", request)


def _endpoint(name: str, request: ProtocolRequest) -> Answer:
    answer: Answer = SERVER.create_endpoint_response(name, request)
    return answer


def _ours(error: OAuth2Error) -> Refusal:
    """An error that Authlib raised itself, without its text: that may hold what a stranger sent."""
    return InvalidRequest("The request cannot be answered.", rule="authlib", got=error.error)
