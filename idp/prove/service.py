"""A service that is handed a token: discovery, keys, and each check that it has to make (RFC 9068 §4).

Its own code and no library's judgement, so that a mistake in the one that signs is not repeated in the one that
verifies; the arithmetic of the signature alone is the library's.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from idp.prove import clock
from idp.prove.promises import Unexpected
from idp.prove.visitor import discovery
from idp.prove.wire import Net

ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""What is admitted, with the `kty` that belongs to it."""
KEYS: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_NEVER = 1 << 40
_ALGORITHMS: dict[str, Any] = dict(JWSRegistry.algorithms)
SKEW = 30
"""Seconds by which clocks may differ."""


class Refused(Unexpected):
    """The service does not take the token: which check failed, what was wanted and what it saw."""

    def __init__(self, check: str, wanted: object, got: object) -> None:
        """`check`: a stable word."""
        super().__init__(f"{check}: wanted {wanted!s:.200}, got {got!s:.200}.")
        self.check = check


@dataclass(slots=True)
class Service:
    """One API of one tenant that checks what it is sent."""

    net: Net
    issuer: str
    audience: str
    tenant: str | None = None
    """The slug that `tenant` must hold; None: not looked at."""
    typ: str = "at+jwt"
    _keys: dict[str, dict[str, Any]] = field(default_factory=dict)

    def keys(self, *, again: bool = False) -> dict[str, dict[str, Any]]:
        """The issuer's public keys by `kid`, fetched once unless `again`. Raises Unexpected."""
        if again or not self._keys:
            document = discovery(self.net, self.issuer)
            answer = self.net.get(str(document["jwks_uri"]))
            found = answer.json().get("keys")
            if not isinstance(found, list) or any("d" in each for each in found):
                raise Unexpected(f"{answer} without a set of public keys.")
            self._keys = {str(each.get("kid")): each for each in found}
            if len(self._keys) != len(found):
                raise Unexpected(f"{answer} with two keys of one kid.")
        return self._keys

    def check(self, token: str) -> dict[str, Any]:
        """The claims of a token that the service takes. Raises Refused, Unexpected."""
        header, claims, signed, signature = parts(token)
        kind = str(header.get("typ", "")).lower().removeprefix("application/")
        _same("typ", self.typ, kind)
        self._signature(header, signed, signature)
        _same("iss", self.issuer, claims.get("iss"))
        audience = claims.get("aud")
        known = audience if isinstance(audience, list) else [audience]
        if self.audience not in known:
            raise Refused("aud", self.audience, known)
        if self.tenant is not None:
            _same("tenant", self.tenant, claims.get("tenant"))
        self._times(claims)
        return claims

    def _signature(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        kid, alg = header.get("kid"), header.get("alg")
        key = self.keys().get(str(kid)) or self.keys(again=True).get(str(kid))
        if key is None:
            raise Refused("kid", f"one of {sorted(self.keys())}", kid)
        if alg not in ALGORITHMS or ALGORITHMS[alg] != key.get("kty") or key.get("alg", alg) != alg:
            raise Refused("alg", key.get("alg", "the key's"), alg)
        try:
            good = _ALGORITHMS[alg].verify(signed, signature, KEYS[ALGORITHMS[alg]].import_key(dict(key)))
        except (JoseError, ValueError, TypeError):
            good = False
        if not good:
            raise Refused("signature", f"one by {kid}", "another")

    @staticmethod
    def _times(claims: dict[str, Any]) -> None:
        now = int(clock.now().timestamp())
        for name, earliest, latest in (
            ("exp", now - SKEW + 1, _NEVER),
            ("iat", 0, now + SKEW),
            ("nbf", 0, now + SKEW),
        ):
            at = claims.get(name)
            if name == "nbf" and at is None:
                continue
            if type(at) is not int or not earliest <= at <= latest:
                raise Refused(name, f"seconds that fit {now}", at)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, what was signed, and the signature of a compact JWS. Raises Refused."""
    pieces = token.split(".")
    if len(pieces) != 3:
        raise Refused("form", "three parts", f"{len(pieces)} parts")
    try:
        header, claims = (json.loads(unb64(piece)) for piece in pieces[:2])
        signature = unb64(pieces[2])
    except (ValueError, binascii.Error):
        raise Refused("form", "JSON in base64url", "something else") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Refused("form", "two JSON objects", "something else")
    return header, claims, f"{pieces[0]}.{pieces[1]}".encode(), signature


def unb64(text: str) -> bytes:
    """What a base64url text without padding stands for. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _same(name: str, wanted: object, got: object) -> None:
    if got != wanted:
        raise Refused(name, wanted, got)
