"""Certificates for tests, made by an independent library, and a deployment whose proxy hands them on."""

import base64
import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.spec.rfc9449.proving import b64

SECRET = "shared-by-proxy-and-provider-0123456789"
HEADER = "X-Client-Certificate"
PROXY = "127.0.0.7"
PEER = {"REMOTE_ADDR": PROXY}


@dataclass
class Shown:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def der(self) -> str:
        """The base64 of its DER."""
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def thumbprint(self) -> str:
        """`x5t#S256` (RFC 8705 §3.1)."""
        return b64(self.certificate.fingerprint(hashes.SHA256()))

    @property
    def headers(self) -> dict[str, str]:
        """As the proxy hands it on."""
        return {HEADER: f"{SECRET} {quote(self.pem)}"}


def certificate(
    subject: str = "CN=client,O=Bank,C=DE",
    *,
    by: "Shown | None" = None,
    names: tuple[x509.GeneralName, ...] = (),
    ca: bool = False,
    days: tuple[int, int] = (-1, 30),
    use: Any = ExtendedKeyUsageOID.CLIENT_AUTH,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Shown:
    """A certificate, signed by itself or `by` an authority; `days`: from now, between which it counts."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    name = x509.Name.from_rfc4514_string(subject)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if use is not None:
        made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return Shown(made.sign(key if by is None else by.key, hashes.SHA256()), key)


def names(kind: str, value: str) -> tuple[x509.GeneralName, ...]:
    """One alternative name of a kind."""
    made: dict[str, Any] = {
        "dns": x509.DNSName, "uri": x509.UniformResourceIdentifier, "email": x509.RFC822Name,
        "ip": lambda text: x509.IPAddress(ipaddress.ip_address(text)),
    }  # fmt: skip
    return (made[kind](value),)
