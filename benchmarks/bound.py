"""Requests that a key stands behind: assertions of a client, and tokens that are bound to a DPoP key (RFC 7523, 9449).

Each proof and each assertion is for one request. They are signed last, since they are fresh for seconds alone. The key
is no secret: it is derived from a word, and its public half stands in blueprint.yaml and in the peer's server.mjs.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import secrets
import time
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from benchmarks.browser import Browser, Code, parameters
from benchmarks.hands import APIS, HANDS, SCOPE, basic, form_post, redemption, username
from benchmarks.load import request
from benchmarks.machine import CannotMeasure
from benchmarks.target import PASSWORD, Server, Site

CLIENT, KEYED = "bound", "keyed"
"""The client whose tokens are bound, and the one that authenticates with a key."""
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@cache
def key() -> ec.EllipticCurvePrivateKey:
    """The key of clients, on P-256."""
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(b"bench").digest(), "big"), ec.SECP256R1())


@cache
def public() -> dict[str, str]:
    """Its public half as a JWK."""
    numbers = key().public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": _b64(numbers.x.to_bytes(32)), "y": _b64(numbers.y.to_bytes(32))}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signed(header: dict[str, Any], claims: dict[str, Any]) -> str:
    text = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key().sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_b64(r.to_bytes(32) + s.to_bytes(32))}"


def proof(method: str, address: str, token: str | None = None) -> str:
    """A DPoP proof (RFC 9449 §4.2)."""
    claims: dict[str, Any] = {
        "jti": secrets.token_urlsafe(16), "htm": method, "htu": address, "iat": int(time.time()),
    }  # fmt: skip
    if token is not None:
        claims["ath"] = _b64(hashlib.sha256(token.encode()).digest())
    return _signed({"typ": "dpop+jwt", "alg": "ES256", "jwk": public()}, claims)


def assertions(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """Tokens of a client's own, each asked for with an assertion of its own (RFC 7523 §2.2)."""
    form = {"grant_type": "client_credentials", **APIS["ES256"], "client_assertion_type": _ASSERTION}
    requests = []
    for at, _ in zip(itertools.cycle(sites), range(count), strict=False):
        now = int(time.time())
        claims = {
            "iss": KEYED, "sub": KEYED, "aud": at.issuer, "jti": secrets.token_urlsafe(16), "iat": now,
            "exp": now + 60,
        }  # fmt: skip
        body = urlencode({**form, "client_assertion": _signed({"alg": "ES256", "kid": "bench"}, claims)})
        requests.append(request("POST", at.path("token_endpoint"), at.host, None, body))
    return requests


def pushes(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """The same authorization request, pushed over and over (RFC 9126)."""
    form, _verifier = parameters("web", SCOPE)
    return [form_post(at, "pushed_authorization_request_endpoint", "web", form) for at in sites]


def _code(browser: Browser, at: Site, person: str) -> Code:
    form, verifier = parameters(CLIENT, SCOPE)
    endpoint = at.endpoint("pushed_authorization_request_endpoint")
    answer = browser.send("POST", endpoint, form, **basic(CLIENT))
    if answer.status != 201:
        raise CannotMeasure(f"No pushed request at {endpoint} ({answer.status}): {answer.body[:200]}")
    query = urlencode({"client_id": CLIENT, "request_uri": json.loads(answer.body)["request_uri"]})
    return browser.code(f"{at.endpoint('authorization_endpoint')}?{query}", verifier, person, PASSWORD)


def codes(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """Codes of pushed requests, each redeemed with a proof."""
    found: list[tuple[Site, Code]] = []
    used = list(itertools.islice(itertools.cycle(sites), HANDS))
    for number, at in enumerate(used):
        browser = Browser(server.port)
        found += [(at, _code(browser, at, username(at, number))) for _ in range(count // len(used) + 1)]
        browser.close()
    requests = []
    for at, code in found:
        headers = {**basic(CLIENT), "DPoP": proof("POST", at.endpoint("token_endpoint"))}
        requests.append(
            request("POST", at.path("token_endpoint"), at.host, headers, urlencode(redemption(at, code)))
        )
    return requests


def userinfo(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """One bound token a site; each request with a proof of its own."""
    tokens = [(at, _token(server, at)) for at in sites[:HANDS]]
    requests = []
    for (at, token), _ in zip(itertools.cycle(tokens), range(count), strict=False):
        shown = proof("GET", at.endpoint("userinfo_endpoint"), token)
        headers = {"Authorization": f"DPoP {token}", "DPoP": shown}
        requests.append(request("GET", at.path("userinfo_endpoint"), at.host, headers))
    return requests


def _token(server: Server, at: Site) -> str:
    browser = Browser(server.port)
    form = redemption(at, _code(browser, at, username(at, 0)))
    endpoint = at.endpoint("token_endpoint")
    answer = browser.send("POST", endpoint, form, **basic(CLIENT), DPoP=proof("POST", endpoint))
    browser.close()
    if answer.status != 200 or json.loads(answer.body).get("token_type") != "DPoP":
        raise CannotMeasure(f"No bound token at {endpoint} ({answer.status}): {answer.body[:200]}")
    return str(json.loads(answer.body)["access_token"])
