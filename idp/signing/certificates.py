"""Certificates that clients show (RFC 5280): read strictly, compared exactly, vouched for by a tenant's authorities."""

import datetime as dt
import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from joserfc.errors import JoseError

from idp.ids import b64
from idp.signing.cache import JOSE_KEYS
from idp.signing.jwks import MEMBERS

Certificate = x509.Certificate
LONGEST = 12_288
"""Characters of a certificate in PEM or base64 that are looked at."""
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SANS: dict[str, Any] = {
    "dns": x509.DNSName, "uri": x509.UniformResourceIdentifier, "ip": x509.IPAddress, "email": x509.RFC822Name,
}  # fmt: skip


class Unreadable(ValueError):
    """What was shown is no certificate."""


def read(pem: str) -> Certificate:
    """The one certificate in `pem`. Raises Unreadable."""
    text = pem.strip()
    if (
        len(text) > LONGEST
        or not text.startswith(_BEGIN)
        or not text.endswith(_END)
        or text.count("-----") != 4
    ):
        raise Unreadable("no certificate")
    return _read(text)


def of_base64(text: str) -> Certificate:
    """A certificate as the base64 of its DER (RFC 7517 §4.7). Raises Unreadable."""
    return read(f"{_BEGIN}\n{text}\n{_END}")


@lru_cache(512)
def _read(pem: str) -> Certificate:
    try:
        found = x509.load_pem_x509_certificate(pem.encode("ascii"))
        _ = found.subject, found.extensions, found.public_key()  # what is read late raises late
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise Unreadable("no certificate") from None
    return found


def thumbprint(certificate: Certificate) -> str:
    """`x5t#S256`: the SHA-256 of its DER in base64url (RFC 8705 §3.1)."""
    return b64(certificate.fingerprint(hashes.SHA256()))


def spki(certificate: Certificate) -> bytes:
    """Its public key, in DER."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_of(jwk: Mapping[str, Any]) -> bytes | None:
    """The public key of a JWK, in DER; None for one that cannot be read."""
    try:
        key = JOSE_KEYS[str(jwk["kty"])].import_key(cast(Any, {n: jwk[n] for n in MEMBERS if n in jwk}))
        found: bytes = key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return found


def good(certificate: Certificate, now: dt.datetime) -> bool:
    """Whether it counts at `now`, and may be what a client shows (RFC 5280 §4.2.1.9, §4.2.1.12)."""
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        return False
    try:
        use = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return bool({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(use))


def vouched(certificate: Certificate, authorities: Iterable[Certificate], now: dt.datetime) -> bool:
    """Whether one of `authorities`, itself good at `now`, has signed it directly."""
    return any(_signed(certificate, each) and _authority(each, now) for each in authorities)


def _signed(certificate: Certificate, authority: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _authority(certificate: Certificate, now: dt.datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc and authority(
        certificate
    )


def authority(certificate: Certificate) -> bool:
    """Whether it may sign others (RFC 5280 §4.2.1.9)."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca


def subject(text: str) -> x509.Name:
    """A distinguished name (RFC 4514). Raises ValueError."""
    if not text or len(text) > 1_024 or not text.isprintable():
        raise ValueError("must be a distinguished name (RFC 4514)")
    try:
        found = x509.Name.from_rfc4514_string(text)
    except ValueError:
        found = None
    if found is None or not list(found) or not all(str(each.value).isprintable() for each in found):
        raise ValueError("must be a distinguished name (RFC 4514)")
    return found


def has_subject(certificate: Certificate, text: str) -> bool:
    """Whether its subject is exactly this distinguished name: each part, in its order, to the letter."""
    return certificate.subject == subject(text)


def has_name(certificate: Certificate, kind: str, wanted: str) -> bool:
    """Whether one of its alternative names of a kind (dns, uri, ip, email) is `wanted` (RFC 8705 §2.1.2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    found = names.get_values_for_type(_SANS[kind])
    if kind == "dns":
        return wanted.lower() in {str(each).lower() for each in found}
    if kind == "ip":
        return ipaddress.ip_address(wanted) in found
    return wanted in {str(each) for each in found}
