"""token, introspect and revoke (RFC 6749 §3.2, RFC 7662, RFC 7009): a form in, JSON out."""

import json

from flask import Response

from idp.oauth import server
from idp.oauth.request import Answer, ProtocolRequest
from idp.web import asked
from idp.web.cors import Cors
from idp.web.gates import Door, Gate

door = Door("tokens", __name__, gate=Gate.TENANT)

_AUTHENTICATION = ("client_id", "client_secret", "private_key_jwt")
_encode = json.JSONEncoder(separators=(",", ":")).encode


def _request(endpoint: str) -> ProtocolRequest:
    return ProtocolRequest(asked.form(), basic=asked.basic(), address=asked.address(), endpoint=endpoint)


def _token_request() -> ProtocolRequest:
    """As `_request`, but `resource` may come more than once (RFC 8707 §2.2)."""
    form, resources = asked.token_form()
    return ProtocolRequest(form, resources=resources, basic=asked.basic(), address=asked.address())


def _write(answer: Answer) -> Response:
    response = Response(_encode(answer.body), answer.status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response


@door.route(
    "/token", methods=("POST",), credentials=(*_AUTHENTICATION, "code", "refresh_token"), cors=Cors.CLIENTS
)
def token() -> Response:
    """The token endpoint."""
    response = _write(server.token(_token_request()))
    response.headers["Pragma"] = "no-cache"  # RFC 6749 §5.1 asks for it beside Cache-Control
    return response


@door.route("/introspect", methods=("POST",), credentials=(*_AUTHENTICATION, "access_token", "refresh_token"))
def introspect() -> Response:
    """The introspection endpoint."""
    return _write(server.introspect(_request("introspect")))


@door.route(
    "/revoke",
    methods=("POST",),
    credentials=(*_AUTHENTICATION, "access_token", "refresh_token"),
    cors=Cors.CLIENTS,
)
def revoke() -> Response:
    """The revocation endpoint."""
    return _write(server.revoke(_request("revoke")))
