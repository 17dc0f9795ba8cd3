"""What applications may say of themselves for whom nobody vouches, whether they register or describe themselves."""

from collections.abc import Mapping
from typing import Any

from idp import registration
from idp.errors import InvalidClientMetadata, Refusal
from idp.registration import sectors
from idp.signing import jwt
from idp.tenants import current

SCOPES = ("openid", "profile", "email", "address", "phone", "offline_access")
"""What an application may ask people for that nobody knows; all of it where it names none."""
_ALGORITHMS = set(registration.SIGNED)
"""What is signed for a client by the tenant."""
_OWN_METHODS = ("none", "private_key_jwt")
_OWN_GRANTS = ("authorization_code", "refresh_token")
_SECRETS = ("client_secret", "client_secret_expires_at")


class Full(Refusal):
    """The tenant has as many applications that nobody vouches for as its policy allows."""

    code = "access_denied"
    status = 403
    description = "No more applications can be registered here."


def understood(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What is understood of it; the rest is left out (RFC 7591 section 2). Raises InvalidClientMetadata."""
    known = {
        name: value for name, value in metadata.items() if registration.check_of(name) and value is not None
    }
    for name in _ALGORITHMS & known.keys():
        # A key that is there is used; no stranger makes one.
        if known[name] not in jwt.algorithms():
            raise InvalidClientMetadata(f"{name} must be one of {', '.join(jwt.algorithms())}.", rule=name)
    scope = known.get("scope", " ".join(SCOPES))
    if not isinstance(scope, str):
        raise InvalidClientMetadata("scope must be a text.", rule="scope")
    known["scope"] = " ".join(each for each in scope.split() if each in SCOPES) or "openid"
    return known


def described(client_id: str, said: object) -> dict[str, Any]:
    """The metadata of the client that the document `said` describes, which lies at its `client_id`.

    draft-ietf-oauth-client-id-metadata-document section 4. One document is for all servers: of its grants those of
    people are taken, through the code. Raises InvalidClientMetadata or InvalidRedirectUri.
    """
    if not isinstance(said, dict):
        raise _wrong("document", "must be an object")
    if said.get("client_id") != client_id:
        raise _wrong("client_id", "must be the address of the document")
    for name in _SECRETS:
        if name in said:
            raise _wrong(name, "must not be there")  # section 4.1
    method = said.get("token_endpoint_auth_method", "none")
    if method not in _OWN_METHODS:
        raise _wrong("token_endpoint_auth_method", f"must be one of {', '.join(_OWN_METHODS)}")
    grants, types = said.get("grant_types", _OWN_GRANTS[:1]), said.get("response_types", ["code"])
    if not isinstance(grants, list | tuple) or not isinstance(types, list) or "code" not in types:
        raise _wrong("response_types", "must have code, and grant_types must be a list")
    known = understood(said)
    if not current().policy.encryption_keys:
        # What it says to every server is no promise to this one, which could not read it.
        known = {
            name: value for name, value in known.items() if not name.startswith("request_object_encryption_")
        }
    mine = {
        **known,
        "token_endpoint_auth_method": method,
        "grant_types": [each for each in _OWN_GRANTS if each in grants],
        "response_types": ["code"],
    }
    metadata = registration.validate(mine, settings={})[0]
    if "sector_identifier_uri" in metadata and sectors.pairwise(metadata):
        # A second document that would have to be read with each: a sector of several hosts is for who registers.
        raise _wrong("sector_identifier_uri", "must not be there for a pairwise client that describes itself")
    return metadata


def _wrong(name: str, clause: str) -> InvalidClientMetadata:
    return InvalidClientMetadata(f"{name} {clause}.", rule=name, expected=clause)
