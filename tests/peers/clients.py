"""What every library is tried with: the clients of blueprint.yaml, one with a key, and what a visit must tell."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from idp.control import clients
from idp.tenants import Tenant, entered

CALLBACK, BYE = "http://localhost:8001/callback", "http://localhost:8001/bye"
SCOPE = "openid profile email groups offline_access"


def secret(client_id: str) -> str:
    """The secret of a client of blueprint.yaml."""
    return f"peers-{client_id}-secret-0123456789-0123456789"


def key(kid: str = "of-the-client", alg: str = "ES256", use: str = "sig") -> dict[str, Any]:
    """A private key on P-256 as a JWK; to sign with ES256 unless it is for something else."""
    made = json.loads(ECAlgorithm(ECAlgorithm.SHA256).to_jwk(ec.generate_private_key(ec.SECP256R1())))
    return {**made, "kid": kid, "alg": alg, "use": use}


def public(jwk: dict[str, Any]) -> dict[str, Any]:
    """What of a key may be shown."""
    return {name: value for name, value in jwk.items() if name not in ("d", "key_ops")}


def made(tenant: Tenant, client_id: str, **fields: Any) -> None:
    """A client that is made now, so that the server cannot have an older one in memory."""
    usual = {
        "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [BYE], "scope": SCOPE, "require_consent": False,
        "grant_types": ["authorization_code", "refresh_token"],
    }  # fmt: skip
    secret_ = None if fields.get("token_endpoint_auth_method") == "private_key_jwt" else secret(client_id)
    with entered(tenant):
        clients.create(client_id, {**usual, **fields}, client_secret=secret_)


def registered_key(tenant: Tenant, client_id: str, **more: Any) -> dict[str, Any]:
    """The private key of a client that is made now and authenticates by private_key_jwt; `more` of its metadata."""
    jwk = key()
    made(
        tenant, client_id, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public(jwk)]}, **more
    )
    return jwk


def held(told: dict[str, Any], issuer: str, client_id: str) -> None:
    """What a whole visit told is what the provider promises."""
    assert told["claims"]["iss"] == issuer and told["claims"]["aud"] == client_id
    assert told["userinfo"]["name"] == "Alice Adams" and told["userinfo"]["email_verified"] is True
    assert told["again"] == told["claims"]["sub"] == told["userinfo"]["sub"]
    assert (told["rotated"], told["gone"]) == (True, "invalid_grant")
    assert told["left"] == f"{BYE}?state=bye"
