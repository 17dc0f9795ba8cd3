"""Discovery and JWKS: public documents of a tenant, built here once and then served by `fast`.

Both spellings of RFC 8414 §3.1 and §5 are routes, path insertion and suffix; OpenID Connect Discovery 1.0
§4 uses the suffix alone, and inserted spellings of it are answered too.
"""

import hashlib
import json
from datetime import datetime
from typing import Any

from flask import Response, request

from idp import clock
from idp.oauth import metadata
from idp.signing import jwks
from idp.tenants import current
from idp.web.cors import Cors
from idp.web.fast import KEEP, Kept
from idp.web.gates import Door, Gate

MAX_AGE = 300
_CACHE = f"public, max-age={MAX_AGE}, stale-while-revalidate=60, stale-if-error={MAX_AGE}"

door = Door("wellknown", __name__, gate=Gate.TENANT)


def document(
    changes: datetime | None, content: dict[str, Any], mimetype: str = "application/json"
) -> Response:
    """A public document of the entered tenant, kept from now on.

    `changes`: when `content` is another one by the passing of time alone; asked before it was made.
    """
    body = json.dumps(content, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    response = Response(body, mimetype=mimetype)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = _CACHE
    lasts = (changes - clock.now()).total_seconds() if changes is not None else KEEP
    kept = Kept.of(body, mimetype, etag, _CACHE, current(), lasts)
    box = request.environ.get("wsgi.idp_box")
    if box is not None:
        box["kept"] = kept
    response.make_conditional(request.environ)
    return response


@door.route("/jwks.json", credentials=(), cors=Cors.PUBLIC)
def keys() -> Response:
    """The tenant's public keys (RFC 7517 §5)."""
    return document(jwks.expires(), jwks.document())


@door.route("/.well-known/openid-configuration", credentials=(), cors=Cors.PUBLIC)
@door.route(
    "/.well-known/openid-configuration/t/<slug:slug>",
    credentials=(),
    cors=Cors.PUBLIC,
    rooted=True,
    endpoint="inserted_configuration",
)
def configuration() -> Response:
    """Provider metadata (OpenID Connect Discovery 1.0 §4)."""
    return document(jwks.expires(), metadata.document())


@door.route("/.well-known/oauth-authorization-server", credentials=(), cors=Cors.PUBLIC)
@door.route(
    "/.well-known/oauth-authorization-server/t/<slug:slug>",
    credentials=(),
    cors=Cors.PUBLIC,
    rooted=True,
    endpoint="inserted_authorization_server",
)
def authorization_server() -> Response:
    """Authorization server metadata (RFC 8414 §3)."""
    return document(jwks.expires(), metadata.document())


@door.route("/.well-known/oauth-protected-resource", credentials=(), cors=Cors.PUBLIC)
@door.route(
    "/.well-known/oauth-protected-resource/t/<slug:slug>",
    credentials=(),
    cors=Cors.PUBLIC,
    rooted=True,
    endpoint="inserted_protected_resource",
)
def protected_resource() -> Response:
    """Metadata of the resource that the issuer itself is: userinfo (RFC 9728 §3)."""
    return document(jwks.expires(), metadata.resource())


DOORS = (door,)
