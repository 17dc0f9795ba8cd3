"""A service: answers whoever brings an access token that one tenant issued for it.

Environment: IDP_ISSUER, AUDIENCE, PORT (8002), TYP (at+jwt), TENANT (the slug at the issuer's end); see binding.py and
refusals.py.
"""

import os
import time

import requests
from binding import sender_holds
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from refusals import refuse, signed_in_well

ISSUER = os.environ["IDP_ISSUER"].rstrip("/")
AUDIENCE = os.environ["AUDIENCE"]
TENANT = os.environ.get("TENANT", ISSUER.rpartition("/")[2])
TYP = os.environ.get("TYP", "at+jwt")
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
KEEP, AT_MOST_EACH = 300, 1  # seconds: the JWKS is kept, and asked for again when a key is unknown

app = Flask(__name__)
cache: dict = {"keys": KeySet([]), "at": 0.0}


def keys(after: float) -> KeySet:
    """The issuer's public keys, fetched again where the copy is older than `after` seconds."""
    if not cache["keys"].keys or time.monotonic() - cache["at"] > after:
        metadata = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=5).json()
        if metadata["issuer"] != ISSUER:
            raise JoseError("the discovery document names another issuer")
        found = requests.get(metadata["jwks_uri"], timeout=5)
        found.raise_for_status()
        cache.update(keys=KeySet.import_key_set(found.json()), at=time.monotonic())
    return cache["keys"]


def claims_of(token: str) -> dict:
    """The claims of an access token meant for this service (RFC 9068 section 4); raises JoseError."""
    try:
        found = jwt.decode(token, keys(KEEP), algorithms=ALGORITHMS)
    except InvalidKeyIdError:  # the issuer has rotated its keys
        found = jwt.decode(token, keys(AT_MOST_EACH), algorithms=ALGORITHMS)
    if found.header.get("typ", "").lower().removeprefix("application/") != TYP.lower():
        raise JoseError("not an access token")
    jwt.JWTClaimsRegistry(
        leeway=15,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        tenant={"essential": True, "value": TENANT},
    ).validate(found.claims)
    return found.claims


@app.get("/orders")
def orders() -> Response:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        claims = claims_of(token)
        sender_holds(claims, scheme, token)
    except (JoseError, ValueError):
        return refuse(401, "invalid_token")
    except requests.RequestException:
        return refuse(503, "temporarily_unavailable")
    if "orders.read" not in claims.get("scope", "").split():
        return refuse(403, "insufficient_scope")
    if not signed_in_well(claims):
        return refuse(401, "insufficient_user_authentication")
    return jsonify(tenant=claims["tenant"], subject=claims["sub"], orders=[{"id": 1, "item": "A blue chair"}])


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ.get("PORT", "8002")))
