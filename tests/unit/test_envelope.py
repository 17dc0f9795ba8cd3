"""Sealed bytes: authenticated, bound to their place, different each time."""

import os
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from idp.signing import envelope

KEY = os.urandom(32)


@given(st.binary(max_size=4096), st.binary(max_size=64))
def test_what_was_sealed_opens_again(plain: bytes, bound_to: bytes) -> None:
    assert envelope.open_(KEY, envelope.seal(KEY, plain, bound_to), bound_to) == plain


def test_two_seals_of_the_same_differ() -> None:
    assert envelope.seal(KEY, b"x", b"") != envelope.seal(KEY, b"x", b"")


def test_any_changed_byte_is_found() -> None:
    sealed = envelope.seal(KEY, b"private", b"place")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(envelope.Unsealable):
            envelope.open_(KEY, bytes(changed), b"place")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 13, b"\x02" * 60])
def test_an_unknown_form_is_refused(sealed: bytes) -> None:
    with pytest.raises(envelope.Unsealable, match="form"):
        envelope.open_(KEY, sealed, b"")


def test_another_key_or_place_does_not_open() -> None:
    sealed = envelope.seal(KEY, b"private", b"place")
    for key, place in ((os.urandom(32), b"place"), (KEY, b"elsewhere")):
        with pytest.raises(envelope.Unsealable):
            envelope.open_(key, sealed, place)


def test_associated_data_cannot_be_shifted() -> None:
    one, other = uuid.UUID(int=1), uuid.UUID(int=2)
    assert len({envelope.associated(tenant, kid) for tenant in (one, other) for kid in ("a", "ab")}) == 4


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["ES256", "EdDSA", "RS256"],
)
def test_a_private_key_survives_its_der(key: object) -> None:
    again = envelope.from_der(envelope.private_der(key))  # type: ignore[arg-type]
    assert envelope.private_der(again) == envelope.private_der(key)  # type: ignore[arg-type]
