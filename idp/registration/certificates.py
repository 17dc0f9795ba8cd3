"""What a client says of the certificate with which it authenticates (RFC 8705 §2.1.2)."""

import ipaddress
import re

from idp import identifiers
from idp.signing import certificates

SUBJECTS = (
    "tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri", "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)  # fmt: skip
"""Of which a client of `tls_client_auth` registers exactly one."""
_DNS = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:[!-~]{1,1000}")


def subject_dn(value: object) -> str:
    """A distinguished name (RFC 4514), kept as it was written."""
    if not isinstance(value, str):
        raise ValueError("must be a distinguished name (RFC 4514)")
    certificates.subject(value)
    return value


def dns(value: object) -> str:
    """A host name, without wildcards."""
    return _matching(value, _DNS, "must be a host name").lower()


def uri(value: object) -> str:
    """A URI, compared to the letter."""
    return _matching(value, _URI, "must be a URI")


def email(value: object) -> str:
    """An e-mail address, compared to the letter."""
    identifiers.email(value)
    return str(value)


def ip(value: object) -> str:
    """An address of a machine, version 4 or 6, in its one spelling."""
    try:
        if not isinstance(value, str):
            raise ValueError
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address") from None


def _matching(value: object, shape: re.Pattern[str], clause: str) -> str:
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise ValueError(clause)
    return value
