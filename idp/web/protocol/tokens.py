"""token, par, device_authorization, introspect and revoke: a form in, JSON out.

RFC 6749 §3.2, RFC 9126, RFC 8628 §3.1, RFC 7662, RFC 7009.
"""

import json
from collections.abc import Callable

from idp.oauth import server
from idp.oauth.endpoints.introspection import JWT
from idp.oauth.request import Answer, ProtocolRequest
from idp.web import asked
from idp.web.cors import Cors
from idp.web.gates import Door, Gate
from idp.web.reply import Reply

door = Door("tokens", __name__, gate=Gate.TENANT, plain=True)

_AUTHENTICATION = ("client_id", "client_secret", "private_key_jwt")
_encode = json.JSONEncoder(separators=(",", ":")).encode


Understood = Callable[[dict[str, str]], dict[str, str]]
"""What a form means, where what stands in it has a name before it (`idp.web.named`)."""


def plain_request(endpoint: str, understood: Understood = dict) -> ProtocolRequest:
    """The request of introspection and revocation."""
    return ProtocolRequest(
        understood(asked.form()), basic=asked.basic(), address=asked.address(), endpoint=endpoint,
        certificate=asked.certificate(), wants_jwt=asked.accepts(JWT),
    )  # fmt: skip


def with_resources(endpoint: str, understood: Understood = dict) -> ProtocolRequest:
    """As `plain_request`, but `resource` may come more than once (RFC 8707 §2), and a key be shown (RFC 9449 §5)."""
    form, resources = asked.token_form()
    return ProtocolRequest(
        understood(form), resources=resources, basic=asked.basic(), address=asked.address(), endpoint=endpoint,
        proof=asked.proof(), certificate=asked.certificate(), agent=asked.agent(),
    )  # fmt: skip


def write(answer: Answer) -> Reply:
    """The answer, never stored."""
    text = answer.body if isinstance(answer.body, str) else _encode(answer.body)
    reply = Reply.of("application/json", text.encode(), answer.status)
    reply.headers.add("Cache-Control", "no-store")
    for name, value in answer.headers.items():
        reply.headers[name] = value
    return reply


@door.route(
    "/token",
    methods=("POST",),
    credentials=(*_AUTHENTICATION, "code", "refresh_token", "device_code", "auth_req_id"),
    cors=Cors.CLIENTS,
)
def token() -> Reply:
    """The token endpoint."""
    reply = write(server.token(with_resources("token")))
    reply.headers.add("Pragma", "no-cache")  # RFC 6749 §5.1 asks for it beside Cache-Control
    return reply


@door.route("/par", methods=("POST",), credentials=_AUTHENTICATION, cors=Cors.CLIENTS)
def par() -> Reply:
    """The pushed authorization request endpoint."""
    return write(server.push(with_resources("par")))


@door.route("/device_authorization", methods=("POST",), credentials=_AUTHENTICATION)
def device_authorization() -> Reply:
    """The device authorization endpoint."""
    return write(server.device_authorization(with_resources("device_authorization")))


@door.route("/bc-authorize", methods=("POST",), credentials=_AUTHENTICATION)
def backchannel_authentication() -> Reply:
    """The backchannel authentication endpoint (CIBA Core §7)."""
    return write(server.backchannel_authentication(with_resources("bc-authorize")))


@door.route("/introspect", methods=("POST",), credentials=(*_AUTHENTICATION, "access_token", "refresh_token"))
def introspect() -> Reply:
    """The introspection endpoint."""
    return write(server.introspect(plain_request("introspect")))


@door.route(
    "/revoke",
    methods=("POST",),
    credentials=(*_AUTHENTICATION, "access_token", "refresh_token"),
    cors=Cors.CLIENTS,
)
def revoke() -> Reply:
    """The revocation endpoint."""
    return write(server.revoke(plain_request("revoke")))
