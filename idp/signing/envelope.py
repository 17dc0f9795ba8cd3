"""Seal and open private keys: AES-256-GCM under a key derived from the ring (NIST SP 800-38D).

The tenant's id and the key's id are associated data: a sealed key copied to another tenant's row, or to
another row of the same tenant, does not open. Layout: one byte of version, 12 of nonce, ciphertext and tag.
"""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE = 12


class Unsealable(Exception):
    """A sealed key does not open: it was changed, belongs elsewhere, or its ring key is another."""


def associated(tenant_id: UUID, kid: str) -> bytes:
    """What binds a sealed key to its place; the tenant's id has a fixed length, so nothing can be shifted."""
    return b"idp signing key\x00" + tenant_id.bytes + kid.encode()


def seal(key: bytes, plain: bytes, bound_to: bytes) -> bytes:
    """`plain` sealed under the 32-byte `key`, opening only together with `bound_to`."""
    nonce = os.urandom(_NONCE)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, bound_to)


def open_(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """What was sealed. Raises Unsealable."""
    if len(sealed) <= 1 + _NONCE or sealed[:1] != _VERSION:
        raise Unsealable("the sealed key has an unknown form")
    try:
        return AESGCM(key).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], bound_to)
    except InvalidTag:
        raise Unsealable("the sealed key was changed, moved, or sealed under another ring key") from None


def private_der(key: PrivateKeyTypes) -> bytes:
    """A private key as PKCS #8 in DER (RFC 5958), without a passphrase: only ever to be sealed."""
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def from_der(der: bytes) -> PrivateKeyTypes:
    """The private key behind bytes that :func:`open_` has authenticated.

    RSA's consistency check (30 ms) is left out: it protects against keys of unknown origin, and AES-GCM has
    just proved that these bytes are the ones which this provider wrote.
    """
    return serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
