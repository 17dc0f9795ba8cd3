"""Which browser applications of other origins may read which answers (Fetch §3.2).

Discovery and JWKS are everybody's. Token-like endpoints answer the origins that a client of the tenant
has registered, never with credentials, never `null`. Nothing else, and never `/authorize`, has any of it.
"""

from enum import StrEnum
from typing import TypeVar

from flask import Response

from idp.oauth import origins
from idp.web import asked
from idp.web.reply import Reply

Answered = TypeVar("Answered", bound=Response | Reply)


class Cors(StrEnum):
    """Whom a route lets read its answers from another origin."""

    NONE = "none"
    PUBLIC = "public"
    CLIENTS = "clients"


_EXPOSED = "DPoP-Nonce, WWW-Authenticate"
_HEADERS = "Authorization, Content-Type, DPoP"


def _origin() -> str | None:
    """The origin that asked, when a client of the entered tenant has registered it."""
    origin: str | None = asked.environ().get("HTTP_ORIGIN")
    if origin is None or origin == "null":
        return None
    return origin if origin in origins.allowed() else None


def allow(response: Answered, rule: Cors) -> Answered:
    """Add to an answer what `rule` grants the origin that asked; a tenant is entered."""
    if rule is Cors.NONE:
        return response
    if rule is Cors.PUBLIC:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response
    response.headers.add("Vary", "Origin")
    origin = _origin()
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    return response


def preflight(rule: Cors, methods: str) -> Reply:
    """The answer to a preflight (Fetch §3.2.2); without a permission it is empty of permissions."""
    response = allow(Reply(204), rule)
    response.headers.pop("Access-Control-Expose-Headers", None)
    if "Access-Control-Allow-Origin" in response.headers:
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = _HEADERS
        response.headers["Access-Control-Max-Age"] = "600"
    return response
