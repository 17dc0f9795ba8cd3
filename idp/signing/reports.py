"""Signatures of reports that leave the house, so that an auditor can see that nobody edited them.

Ed25519 (RFC 8032) under a key that the ring derives: there is nothing to keep, and an older ring key still
verifies what it signed. The report carries the public key, which `idp report key` prints for comparison.
"""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idp.ids import b64, unb64
from idp.signing.ring import Ring

PURPOSE = b"idp/reports/v1"
MEMBER = "signature"


def keys(ring: Ring) -> dict[str, str]:
    """The public key (base64url) of every key of the ring, by the ring key's id, the newest first."""
    return {name: _public(_private(secret)) for name, secret in ring.derive_all(PURPOSE)}


def sign(report: Mapping[str, Any], ring: Ring) -> dict[str, Any]:
    """The report with its signature as one more member."""
    name, secret = ring.derive_all(PURPOSE)[0]
    key = _private(secret)
    plain = {member: value for member, value in report.items() if member != MEMBER}
    signature = {"alg": "Ed25519", "kid": name, "key": _public(key), "value": b64(key.sign(_bytes(plain)))}
    return {**plain, MEMBER: signature}


def verify(report: Mapping[str, Any], ring: Ring) -> str | None:
    """Why a report is not one that this ring signed; None where it is."""
    given = report.get(MEMBER)
    if not isinstance(given, Mapping):
        return "it is not signed"
    secret = dict(ring.derive_all(PURPOSE)).get(str(given.get("kid")))
    if secret is None:
        return "the key that signed it is not on this key ring"
    plain = {member: value for member, value in report.items() if member != MEMBER}
    key = _private(secret).public_key()
    try:
        key.verify(unb64(str(given.get("value"))), _bytes(plain))
    except (InvalidSignature, ValueError):
        return "it was changed after it was signed"
    expected = {
        "alg": "Ed25519",
        "kid": given.get("kid"),
        "key": _public(_private(secret)),
        "value": given["value"],
    }
    return None if dict(given) == expected else "its signature names another key than the one that made it"


def _private(secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(secret)


def _public(key: Ed25519PrivateKey) -> str:
    return b64(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _bytes(plain: Mapping[str, Any]) -> bytes:
    """The one way to write a report down: sorted members, no blanks, UTF-8."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
