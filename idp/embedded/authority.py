"""https for development: a certificate authority of this deployment alone, and the certificate that it gives.

Owns four files of the keys folder. The authority's certificate says itself that it can vouch for names of this
machine and no others (RFC 5280 section 4.2.1.10), so that trusting it in a browser opens nothing else, even to
whoever gets hold of its key. What is there and good is used again; what nears its end, or names other hosts than
are wanted, is made anew; what cannot be read is left as it is and told.
"""

import datetime as dt
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from idp import clock
from idp.embedded import NotPossible

AUTHORITY_DAYS, SERVER_DAYS, BEFORE_DAYS = 3650, 365, 30
"""How long each certificate holds, and how long before its end the server's is made anew."""
DOMAINS = ("localhost", "test")
"""Names, and all below them, that lead nowhere but to the developer's own machine or network (RFC 6761)."""
ADDRESSES = ("127.0.0.1", "::1")
USUAL = ("localhost", *ADDRESSES)
_SLACK = dt.timedelta(hours=1)  # the browser's clock may be behind

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: whom to trust, and what the server shows and signs with."""

    authority: Path
    chain: Path
    key: Path


def files(keys: Path) -> Certificate:
    """Where the files are, or would be, in the folder `keys`."""
    return Certificate(keys / "local-ca.crt", keys / "local-server.crt", keys / "local-server.key")


def possible(host: str) -> bool:
    """Whether this authority may vouch for `host`, a name (`*.` before it or not) or an address."""
    return host in ADDRESSES or any(host == name or host.endswith(f".{name}") for name in DOMAINS)


def certificate(keys: Path, hosts: Iterable[str]) -> Certificate:
    """A certificate for `hosts` beside the usual names of this machine, made where there is none that is good.

    Raises NotPossible for a file that cannot be read, and for a host of elsewhere.
    """
    wanted = frozenset({*USUAL, *hosts})
    for host in sorted(wanted):
        if not possible(host):
            raise NotPossible(
                f"--tls vouches for names of this machine alone (localhost, 127.0.0.1, ::1 and what ends in "
                f".localhost or .test): leave it out, or name another host than {host}."
            )
    known = files(keys)
    authority = _kept(known.authority, keys / "local-ca.key")
    if authority is None or not _vouches(authority[0]):
        authority = _made_authority()
        _write(keys / "local-ca.key", _private(authority[1]), 0o600)
        _write(known.authority, _public(authority[0]), 0o644)
    server = _kept(known.chain, known.key)
    if server is None or not _fits(server[0], authority[0], wanted):
        server = _made_server(authority, wanted)
        _write(known.key, _private(server[1]), 0o600)
        _write(known.chain, _public(server[0]) + _public(authority[0]), 0o644)
    return known


def _kept(shown: Path, secret: Path) -> Pair | None:
    """What the two files hold; None where one is missing or they do not belong together."""
    if not (shown.exists() and secret.exists()):
        return None
    try:
        held = x509.load_pem_x509_certificate(shown.read_bytes())
    except (OSError, ValueError):
        raise NotPossible(_broken(shown, "certificate")) from None
    try:
        key = serialization.load_pem_private_key(secret.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise NotPossible(_broken(secret, "private key")) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != held.public_key():
        return None
    os.chmod(secret, 0o600)
    return held, key


def _broken(path: Path, what: str) -> str:
    return f"{path} is no {what} that can be read: delete it, and the next start makes another one."


def _vouches(held: x509.Certificate) -> bool:
    """Whether an authority is one of ours, for our names, and outlives what it is about to sign."""
    try:
        limits = held.extensions.get_extension_for_class(x509.NameConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    left = held.not_valid_after_utc - clock.now()
    return limits.critical and limits.value == _limits() and left > dt.timedelta(days=SERVER_DAYS)


def _fits(held: x509.Certificate, authority: x509.Certificate, wanted: frozenset[str]) -> bool:
    """Whether a server's certificate is the authority's, for exactly these hosts, and does not end soon."""
    try:
        held.verify_directly_issued_by(authority)
        names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, InvalidSignature, TypeError, ValueError):
        return False
    left = held.not_valid_after_utc - clock.now()
    return {str(each.value) for each in names} == wanted and left > dt.timedelta(days=BEFORE_DAYS)


def _limits() -> x509.NameConstraints:
    names = [x509.DNSName(name) for name in DOMAINS]
    addresses = [x509.IPAddress(ipaddress.ip_network(each)) for each in ADDRESSES]
    return x509.NameConstraints(permitted_subtrees=[*names, *addresses], excluded_subtrees=None)


def _made_authority() -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(f"idp up, {clock.now():%Y-%m-%d %H:%M:%S}")
    made = _begun(name, name, key.public_key(), AUTHORITY_DAYS)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(_usage(authority=True), critical=True)
    made = made.add_extension(_limits(), critical=True)
    return made.sign(key, hashes.SHA256()), key


def _made_server(authority: Pair, hosts: frozenset[str]) -> Pair:
    held, secret = authority
    key = ec.generate_private_key(ec.SECP256R1())
    made = _begun(_named("localhost"), held.subject, key.public_key(), SERVER_DAYS)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage(authority=False), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(secret.public_key())
    made = made.add_extension(signer, critical=False)
    names = [_general(host) for host in sorted(hosts)]
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(secret, hashes.SHA256()), key


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    begins = clock.now() - _SLACK
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number()).not_valid_before(begins)
    made = made.not_valid_after(begins + dt.timedelta(days=days))
    return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(host: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(host)) if host in ADDRESSES else x509.DNSName(host)


def _public(held: x509.Certificate) -> bytes:
    return held.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _write(path: Path, content: bytes, mode: int) -> None:
    """The whole file or none of it, never with a wider mode than `mode`."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
