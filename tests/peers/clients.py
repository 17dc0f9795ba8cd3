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


def key() -> dict[str, Any]:
    """A private key for ES256 as a JWK."""
    made = json.loads(ECAlgorithm(ECAlgorithm.SHA256).to_jwk(ec.generate_private_key(ec.SECP256R1())))
    return {**made, "kid": "of-the-client", "alg": "ES256", "use": "sig"}


def registered_key(tenant: Tenant, client_id: str, **more: Any) -> dict[str, Any]:
    """The private key of a client that is made now and authenticates by private_key_jwt; `more` of its metadata."""
    jwk = key()
    public = {name: value for name, value in jwk.items() if name not in ("d", "key_ops")}
    fields = {
        "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [BYE], "scope": SCOPE, "require_consent": False,
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [public]},
    }  # fmt: skip
    with entered(tenant):
        clients.create(client_id, {**fields, **more})
    return jwk


def held(told: dict[str, Any], issuer: str, client_id: str) -> None:
    """What a whole visit told is what the provider promises."""
    assert told["claims"]["iss"] == issuer and told["claims"]["aud"] == client_id
    assert told["userinfo"]["name"] == "Alice Adams" and told["userinfo"]["email_verified"] is True
    assert told["again"] == told["claims"]["sub"] == told["userinfo"]["sub"]
    assert (told["rotated"], told["gone"]) == (True, "invalid_grant")
    assert told["left"] == f"{BYE}?state=bye"
