"""A passkey in software: what a browser and a device would answer, by the letter of Web Authentication Level 3.

It shares no code with what verifies it. Every part of an answer can be changed, so that bad ones can be made too.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from idp.prove.visitor import b64

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
"""Bits of the flags in authenticator data (§6.1)."""


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(slots=True)
class Passkey:
    """One credential. `origin`: of the page; `handle`: what the device keeps of whose it is."""

    origin: str
    rp_id: str = ""
    handle: str = ""
    identifier: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=_key, repr=False)
    count: int = 0
    flags: int = PRESENT | VERIFIED

    def create(self, options: str, **changes: Any) -> str:
        """What `navigator.credentials.create` gives for these options, as JSON."""
        given = json.loads(options)
        self.rp_id, self.handle = given["rp"]["id"], given["user"]["id"]
        client = self._client("webauthn.create", given["challenge"], changes)
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        held = bytes(16) + len(self.identifier).to_bytes(2, "big") + self.identifier + cbor2.dumps(cose)
        data = self._data(changes, ATTESTED) + held
        made = {"fmt": changes.get("fmt", "none"), "attStmt": changes.get("statement", {}), "authData": data}
        answer = {"clientDataJSON": b64(client), "attestationObject": b64(cbor2.dumps(made)),
                  "transports": ["internal"]}  # fmt: skip
        return self._credential(answer, changes)

    def get(self, options: str, **changes: Any) -> str:
        """What `navigator.credentials.get` gives for these options, as JSON; the counter goes up where it counts."""
        given = json.loads(options)
        client = self._client("webauthn.get", given["challenge"], changes)
        self.count += 1 if self.count else 0
        data = self._data(changes)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        answer = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature),
                  "userHandle": changes.get("handle", self.handle)}  # fmt: skip
        return self._credential({k: v for k, v in answer.items() if v is not None}, changes)

    def _client(self, kind: str, challenge: str, changes: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps({name: changes.get(name, value) for name, value in said.items()}).encode()

    def _data(self, changes: dict[str, Any], more: int = 0) -> bytes:
        flags = changes.get("flags", self.flags) | more
        host = hashlib.sha256(changes.get("rp_id", self.rp_id).encode()).digest()
        return host + bytes([flags]) + int(changes.get("count", self.count)).to_bytes(4, "big")

    def _credential(self, answer: dict[str, Any], changes: dict[str, Any]) -> str:
        name = b64(changes.get("identifier", self.identifier))
        return json.dumps(
            {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {},
             "authenticatorAttachment": "platform", "response": answer}
        )  # fmt: skip
