"""Whether whoever brings an access token holds what the token is bound to (RFC 9449 section 7, RFC 8705 section 3).

Environment: SERVICE_URL, the address at which clients know this service, such as https://api.example.com, without a
slash at its end (http://localhost:PORT); CLIENT_CERTIFICATE_SECRET, what the proxy that ends mutual TLS puts before
the client's certificate in X-Client-Certificate (absent: no certificate is believed).
"""

import base64
import hashlib
import hmac
import os
import time
from urllib.parse import unquote

from flask import request
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

HERE = os.environ.get("SERVICE_URL", f"http://localhost:{os.environ.get('PORT', '8002')}")
SECRET = os.environ.get("CLIENT_CERTIFICATE_SECRET")
ALGORITHMS = ["ES256", "PS256", "EdDSA"]
KEYS = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
SKEW = 15  # seconds: how old a proof may be, and how far ahead
seen: dict[str, float] = {}  # of one process; several share theirs, in Redis say


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sender_holds(claims: dict, scheme: str, token: str) -> None:
    """Return where the request proves what the token needs; raises ValueError or JoseError."""
    bound, by_key = claims.get("cnf", {}), scheme.lower() == "dpop"
    if by_key != ("jkt" in bound) or not (by_key or scheme.lower() == "bearer"):
        raise ValueError("not the scheme of this token")
    if by_key:
        try:
            proved(request.headers.get("DPoP", ""), bound["jkt"], token)
        except (KeyError, TypeError, AttributeError) as missing:
            raise ValueError("not a whole proof") from missing
    elif bound and bound.get("x5t#S256", "") != shown():
        raise ValueError("bound to another certificate, or to what is not known here")


def proved(proof: str, thumbprint: str, token: str) -> None:
    """One fresh proof of the key, for this request and this token (RFC 9449 section 4.3)."""
    public = jws.extract_compact(proof.encode()).headers()["jwk"]
    if {"d", "p", "q", "k"} & public.keys():
        raise ValueError("more than a public key")
    key = KEYS[public["kty"]].import_key(public)
    found = jwt.decode(proof, key, algorithms=ALGORITHMS)
    said, now = found.claims, time.time()
    wanted = {
        "htm": request.method,
        "htu": HERE + request.path,
        "ath": b64(hashlib.sha256(token.encode()).digest()),
    }
    if found.header.get("typ") != "dpop+jwt" or key.thumbprint() != thumbprint:
        raise ValueError("no proof of this key")
    if any(said.get(name) != value for name, value in wanted.items()) or abs(said["iat"] - now) > SKEW:
        raise ValueError("a proof for something else")
    for used in [used for used, until in seen.items() if until < now]:
        seen.pop(used, None)
    if seen.setdefault(f"{thumbprint} {said['jti']}", until := now + 2 * SKEW) != until:
        raise ValueError("used before")


def shown() -> str | None:
    """The thumbprint of the client's certificate, where the proxy handed one on."""
    secret, _, pem = request.headers.get("X-Client-Certificate", "").partition(" ")
    if SECRET is None or not hmac.compare_digest(secret.encode(), SECRET.encode()):
        return None
    body = "".join(line for line in unquote(pem).splitlines() if "-----" not in line)
    return b64(hashlib.sha256(base64.b64decode(body)).digest())
