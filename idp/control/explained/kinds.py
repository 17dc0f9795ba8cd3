"""What kind of thing a token is, by its looks alone."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from idp.errors import InvalidToken
from idp.oauth.tokens import access, id_token, refresh
from idp.signing import parts

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_ASSERTION_TYPE = "client-authentication+jwt"


class Kind(StrEnum):
    """Kinds that can be told apart."""

    ACCESS = "access token"
    ID = "ID token"
    LOGOUT = "logout token"
    ASSERTION = "client assertion"
    REFRESH = "refresh token"
    OPAQUE = "no JWT"


TYPES: dict[Kind, tuple[str, ...]] = {
    Kind.ACCESS: access.TYPES,
    Kind.ID: id_token.TYPES,
    Kind.LOGOUT: ("logout+jwt",),
}
"""The header types that each kind of a tenant's own tokens may have."""


def of(token: str) -> Kind:
    """The kind of `token`. A JWT that could be anything is taken for an access token, which most are."""
    if token.startswith(refresh.PREFIX):
        return Kind.REFRESH
    if token.count(".") != 2:
        return Kind.OPAQUE
    header, claims = peek(token)
    typ = header.get("typ")
    if typ == _ASSERTION_TYPE or ("sub" in claims and claims["sub"] == claims.get("iss")):
        return Kind.ASSERTION
    if typ == "logout+jwt" or "events" in claims:
        return Kind.LOGOUT
    if typ == "JWT" and "client_id" not in claims:
        return Kind.ID
    return Kind.ACCESS


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as far as they can be read safely; nothing is verified by this."""
    try:
        header, payload, _, _ = parts.split(token)
    except InvalidToken:
        return {}, {}
    try:
        return header, parts.json_object(payload, "token.payload")
    except InvalidToken:
        return header, {}


def looks(token: str) -> str:
    """A sentence on something that is neither a JWT nor a refresh token."""
    if _SECRET.fullmatch(token):
        return (
            "This has the form of an authorization code or another random secret of this provider: "
            "a code goes to the token endpoint, once, and an API takes the access token that comes back."
        )
    if token.startswith("{"):
        return "This is JSON: a service takes the compact form alone, three parts with dots between them."
    if token.count(".") == 4:
        return "This has five parts, so it is encrypted (JWE): this provider makes no such tokens."
    return f"This has {token.count('.') + 1} parts, and a JWT has three: it is cut off, or something else."


def audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts in `aud`."""
    value = claims.get("aud")
    held = value if isinstance(value, list) else [value]
    return tuple(one for one in held if isinstance(one, str))
