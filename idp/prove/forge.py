"""What a forger has: genuine tokens, public keys, keys of its own, and other tenants' tokens."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from idp.prove.service import parts
from idp.prove.target import Canary
from idp.prove.visitor import b64

Forged = tuple[str, str]
"""What it is, and the token."""
HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_ALGORITHMS: dict[str, Any] = dict(JWSRegistry.algorithms)
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


class Strangers:
    """Keys that belong to nobody whom the deployment knows."""

    def __init__(self) -> None:
        """Made once; RSA takes a moment."""
        rsa = RSAKey.generate_key(2048)
        self.keys: dict[str, Any] = {
            **dict.fromkeys(_RSA, rsa),
            "ES256": ECKey.generate_key("P-256"), "ES384": ECKey.generate_key("P-384"),
            "ES512": ECKey.generate_key("P-521"), "ES256K": ECKey.generate_key("secp256k1"),
            "EdDSA": OKPKey.generate_key("Ed25519"),
        }  # fmt: skip

    def public(self, alg: str) -> dict[str, Any]:
        """The public JWK of the key for `alg`."""
        return dict(self.keys[alg].as_dict(private=False))

    def sign(self, alg: str, signed: bytes) -> bytes:
        """A signature that is right, by the wrong key."""
        signature: bytes = _ALGORITHMS[alg].sign(signed, self.keys[alg])
        return signature


@dataclass(frozen=True)
class Genuine:
    """One good token of one kind, and what a forger knows beside it."""

    kind: str
    """`access_token`, `id_token`, `private_key_jwt` or `request_object`."""
    token: str = field(repr=False)
    public: Mapping[str, Any]
    """The JWK that verifies it."""
    own: Canary
    other: Canary
    others: Mapping[str, str] = field(repr=False)
    """Good tokens that are something else or somebody else's, by what they are."""
    strangers: Strangers
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What could be mistaken for a key of HMAC."""
    sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    """Signs header and claims with the right key, where the forger has it: a client can sign what it likes."""

    @cached_property
    def read(self) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
        """Header, claims, what was signed, signature."""
        return parts(self.token)

    @property
    def header(self) -> dict[str, Any]:
        """A copy of the header."""
        return dict(self.read[0])

    @property
    def claims(self) -> dict[str, Any]:
        """A copy of the claims."""
        return dict(self.read[1])

    @property
    def alg(self) -> str:
        """The algorithm."""
        return str(self.read[0]["alg"])

    @property
    def pieces(self) -> list[str]:
        """The three parts as they stand."""
        return self.token.split(".")

    def with_header(self, header: Any) -> str:
        """Another header before the same payload and signature."""
        return ".".join([packed(header), *self.pieces[1:]])

    def with_claims(self, claims: Any) -> str:
        """Other claims between the same header and signature."""
        return ".".join([self.pieces[0], packed(claims), self.pieces[2]])

    def strange(self, header: Mapping[str, Any] | bytes, claims: Any = None, alg: str = "") -> str:
        """Signed rightly by a stranger's key for `alg`, the genuine one's when empty."""
        payload = self.pieces[1] if claims is None else packed(claims)
        signed = f"{packed(header)}.{payload}"
        return f"{signed}.{b64(self.strangers.sign(alg or self.alg, signed.encode()))}"

    def changed(self, name: str, header: dict[str, Any], claims: dict[str, Any]) -> Iterator[Forged]:
        """Other claims under each signature that a forger can make."""
        yield f"{name}, the old signature", self.with_claims(claims)
        yield f"{name}, a stranger's signature", self.strange(header, claims)
        if self.sign is not None:
            yield f"{name}, signed by the client", self.sign(header, claims)


def packed(value: Any) -> str:
    """A part of a token: JSON, or bytes as they are, in base64url."""
    return b64(value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode())


def mac(alg: str, key: bytes, header: Mapping[str, Any], payload: str) -> str:
    """A token with an HMAC."""
    signed = f"{packed({**header, 'alg': alg})}.{payload}"
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), HASHES[alg]))}"


def armoured(label: str, der: bytes, end: str = "\n") -> bytes:
    """DER as PEM."""
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return end.join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def signer(key: Mapping[str, Any]) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    """Signs header and claims with a private JWK for ES256, whatever they say."""
    held = ECKey.import_key(cast(Any, dict(key)))

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = f"{packed(header)}.{packed(claims)}"
        return f"{signed}.{b64(_ALGORITHMS['ES256'].sign(signed.encode(), held))}"

    return sign
