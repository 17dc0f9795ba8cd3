"""Tokens that a client's certificate binds (RFC 8705 §3): the certificate of the connection, as the proxy saw it."""

from idp.oauth.binding import X5T, Binding
from idp.signing import certificates


def shown(pem: str | None) -> Binding | None:
    """The certificate of this request as a binding; None for none, and for what cannot be read."""
    if pem is None:
        return None
    try:
        return Binding(X5T, certificates.thumbprint(certificates.read(pem)))
    except certificates.Unreadable:
        return None
