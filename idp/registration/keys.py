"""A client's own public keys, as it registers them (RFC 7517)."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from idp.ids import unb64
from idp.signing import jwe

MOST_KEYS = 20  # in a client's own set

_PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}  # RFC 7518 section 6
_KEY_MEMBERS = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}


def public_keys(value: object) -> dict[str, Any]:
    """A set of public keys for signatures and encryption (RFC 7517).

    Symmetric and private ones are refused (attack CA14).
    """
    keys = value.get("keys") if isinstance(value, Mapping) and set(value) == {"keys"} else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
        raise ValueError(f"must be an object whose only member keys lists 1 to {MOST_KEYS} keys")
    names = [key.get("kid") for key in keys if isinstance(key, Mapping) and "kid" in key]
    if len(set(map(str, names))) != len(names):
        raise ValueError("must not have two keys of one kid")
    return {"keys": [public_key(key) for key in keys]}


def usable(document: object) -> dict[str, Any]:
    """Of a set that a client serves itself, the keys that it could have registered. Raises ValueError.

    Others are left out: a set that is served may hold keys for other uses and other readers.
    """
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise ValueError(f"must be an object whose member keys lists at most {MOST_KEYS} keys")
    found = []
    for key in keys:
        with suppress(ValueError):
            found.append(public_key(key))
    names = [key.get("kid") for key in found]
    return {"keys": [key for key in found if names.count(key.get("kid")) == 1]}


def for_encryption(jwks: Mapping[str, Any], alg: str) -> Mapping[str, Any] | None:
    """The key of a client's set with which `alg` encrypts for it; None when there is none.

    One that says it is for that comes before one that says nothing (RFC 7517 section 4.2, 4.4).
    """
    found = [
        key
        for key in jwks["keys"]
        if key["kty"] == jwe.KINDS[alg] and key.get("use", "enc") == "enc" and key.get("alg", alg) == alg
    ]
    return min(found, key=lambda key: "use" not in key, default=None)


def public_key(key: object) -> dict[str, Any]:
    """One public key (RFC 7517 section 4) of a kind that is spoken here. Raises ValueError with a clause."""
    if not isinstance(key, Mapping) or str(key.get("kty")) not in _KEY_MEMBERS:
        raise ValueError("must have keys of kty RSA, EC or OKP only")
    if _PRIVATE_MEMBERS & set(key):
        raise ValueError("must have public keys only")
    if key.get("use", "sig") not in ("sig", "enc") or not all(
        isinstance(key.get(name, ""), str) for name in ("kid", "alg")
    ):
        raise ValueError("must have keys whose use is sig or enc, with a text as kid and alg")
    sizes = {}
    for name in _KEY_MEMBERS[key["kty"]]:
        member = key.get(name)
        if not isinstance(member, str) or len(member) > 1024:
            raise ValueError(f"must have keys with the member {name} in base64url")
        try:
            sizes[name] = len(unb64(member).lstrip(b"\0")) * 8
        except ValueError:
            raise ValueError(f"must have keys with the member {name} in canonical base64url") from None
    if key["kty"] == "RSA" and not 2048 <= sizes["n"] <= 8192:
        raise ValueError("must have RSA keys of 2048 to 8192 bits")
    if (key["kty"], str(key.get("crv"))) not in {("RSA", "None"), ("EC", "P-256"), ("OKP", "Ed25519")}:
        raise ValueError("must have curve keys of P-256 or Ed25519")
    return dict(key)
