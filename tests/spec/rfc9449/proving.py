"""A client's key for DPoP proofs, made and used by an independent library, and requests that carry them."""

import base64
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from idp import ids
from tests.playing import RelyingParty

KINDS: dict[str, Any] = {
    "ES256": ECAlgorithm,
    "PS256": RSAAlgorithm,
    "RS256": RSAAlgorithm,
    "EdDSA": OKPAlgorithm,
}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Key:
    """A key of a client's."""

    private: PrivateKeyTypes = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    alg: str = "ES256"

    @property
    def jwk(self) -> dict[str, Any]:
        """Its public half."""
        made = KINDS[self.alg].to_jwk(self.private.public_key(), as_dict=True)  # type: ignore[union-attr]
        return {name: value for name, value in made.items() if name != "key_ops"}

    @property
    def thumbprint(self) -> str:
        """RFC 7638 §3.1."""
        members = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
        wanted = {name: self.jwk[name] for name in members[self.jwk["kty"]]}
        return b64(hashlib.sha256(json.dumps(wanted, separators=(",", ":")).encode()).digest())

    def proof(
        self,
        place: str,
        method: str = "POST",
        /,
        *,
        token: str | None = None,
        headers: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A proof for a request; `...` leaves a claim or a member of the header out."""
        claims: dict[str, Any] = {"jti": ids.secret(), "htm": method, "htu": place, "iat": int(time.time())}
        if token is not None:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        head: dict[str, Any] = {"typ": "dpop+jwt", "jwk": self.jwk, **(headers or {})}
        kept = {name: value for name, value in {**claims, **changes}.items() if value is not ...}
        if head.get("typ", ...) is ...:
            return self.raw({name: value for name, value in head.items() if value is not ...}, kept)
        head = {name: value for name, value in head.items() if value is not ...}
        return pyjwt.api_jws.encode(json.dumps(kept).encode(), self.private, algorithm=self.alg, headers=head)  # type: ignore[arg-type]

    def raw(self, head: dict[str, Any], claims: Any) -> str:
        """A JWS with exactly this header (`alg` included unless it is there)."""
        whole = {"alg": self.alg, **head}
        signed = f"{b64(json.dumps(whole).encode())}.{b64(json.dumps(claims).encode())}"
        algorithm = pyjwt.get_algorithm_by_name(self.alg)
        return f"{signed}.{b64(algorithm.sign(signed.encode(), self.private))}"


@dataclass
class Prover:
    """A relying party that shows a key."""

    rp: RelyingParty
    key: Key = field(default_factory=Key)

    def at(self, endpoint: str) -> str:
        """An endpoint's address."""
        return f"{self.rp.tenant.issuer}/{endpoint}"

    def headers(self, endpoint: str = "token", proof: str | None = None) -> dict[str, str]:
        """The DPoP header of a request to an endpoint."""
        return {"DPoP": proof or self.key.proof(self.at(endpoint))}

    def redeem(self, code: str, proof: str | None = None, **changes: str) -> Any:
        """The token endpoint's answer to a code and a proof."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.rp.redirect_uri,
            "code_verifier": self.rp.verifier, **changes,
        }  # fmt: skip
        return self.rp.post("token", form, headers=self.headers(proof=proof))

    def sign_in(self, username: str = "alice", **changes: str | None) -> dict[str, Any]:
        """Tokens that are bound to the key."""
        answer = self.redeem(self.rp.authorize(**changes).login(username).code)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def refresh(self, token: str, proof: str | None = None) -> Any:
        """The token endpoint's answer to a refresh token and a proof."""
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return self.rp.post("token", form, headers=self.headers(proof=proof))

    def userinfo(
        self,
        token: str,
        proof: str | None = None,
        *,
        scheme: str = "DPoP",
        header: str = "DPoP",
        **changes: Any,
    ) -> Any:
        """The answer of userinfo to a bound token."""
        made = proof or self.key.proof(self.at("userinfo"), "GET", token=token, **changes)
        headers = {"Authorization": f"{scheme} {token}", header: made}
        return self.rp.app.test_client().get(f"/t/{self.rp.tenant.slug}/userinfo", headers=headers)
