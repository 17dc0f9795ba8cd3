"""A client's keys and what it signs with them, for attacks on private_key_jwt."""

import base64
import json
import time
from typing import Any

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from idp import ids
from idp.tenants import Tenant

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EC, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def public(key: Any, kid: str, alg: str = "ES256") -> dict[str, Any]:
    """The public half as a client registers it."""
    kind = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": alg}


def assertion(
    tenant: Tenant, key: Any = EC, alg: str = "ES256", headers: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A good assertion of the client `signer`, but for `changes`; `...` leaves a claim out."""
    now = int(time.time())
    claims = {
        "iss": "signer",
        "sub": "signer",
        "aud": tenant.issuer,
        "jti": ids.secret(),
        "iat": now,
        "exp": now + 60,
    }
    kept = {name: value for name, value in {**claims, **changes}.items() if value is not ...}
    return pyjwt.api_jws.encode(
        json.dumps(kept).encode(), key, algorithm=alg, headers={"kid": "e", **(headers or {})}
    )


def present(app: Any, tenant: Tenant, jwt: str, endpoint: str = "token", **changes: str | None) -> Any:
    """The answer of an endpoint to an assertion."""
    form: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "token": "x",
        "client_assertion_type": TYPE,
    }
    sent = {
        name: value
        for name, value in {**form, "client_assertion": jwt, **changes}.items()
        if value is not None
    }
    return app.test_client().post(f"/t/{tenant.slug}/{endpoint}", data=sent)


def basic(name: str, secret: str) -> dict[str, str]:
    """The header of client_secret_basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}
