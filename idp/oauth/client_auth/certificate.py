"""tls_client_auth and self_signed_tls_client_auth (RFC 8705 §2): the certificate of the connection is the credential.

It comes from a proxy that the deployment trusts, by address and by a secret of both (`idp.web.environ`), since the
proxy has seen the key being proved. A certificate of an authority is vouched for by one that the tenant names, which
has signed it directly: the proxy hands on no chain.
"""

from contextlib import suppress
from typing import Any

from idp import clock, config
from idp.ids import same
from idp.oauth import client_keys
from idp.oauth.request import ProtocolRequest
from idp.registration.certificates import SUBJECTS
from idp.signing import certificates
from idp.signing.certificates import Certificate
from idp.store.durable.clients import Client
from idp.tenants import current

METHODS = ("tls_client_auth", "self_signed_tls_client_auth")


def spoken() -> bool:
    """Whether this deployment has a proxy that hands on certificates."""
    return config.settings().client_certificate_secret is not None


def vouched_for(request: ProtocolRequest, client: Client | None) -> bool:
    """Whether the certificate is the registered subject's, from an authority of the tenant (§2.1)."""
    found = _good(request)
    if found is None or client is None:
        return False
    if not certificates.vouched(found, _authorities(), clock.now()):
        return False
    named = [(name, str(client.metadata[name])) for name in SUBJECTS if name in client.metadata]
    return len(named) == 1 and _named(found, *named[0])


def registered(request: ProtocolRequest, client: Client | None) -> bool:
    """Whether the certificate, or the key that it certifies, is in the client's own set (§2.2)."""
    found = _good(request)
    if found is None or client is None:
        return False
    return any(_held(found, key) for key in client_keys.of(client, None)["keys"])


def _good(request: ProtocolRequest) -> Certificate | None:
    """The certificate that came with the request, if it counts now."""
    if request.certificate is None:
        return None
    try:
        found = certificates.read(request.certificate)
    except certificates.Unreadable:
        return None
    return found if certificates.good(found, clock.now()) else None


def _authorities() -> list[Certificate]:
    found = []
    for each in current().policy.client_certificate_authorities:
        with suppress(certificates.Unreadable):  # base64 of something else vouches for nobody
            found.append(certificates.of_base64(each))
    return found


def _named(found: Certificate, member: str, wanted: str) -> bool:
    kind = member.removeprefix("tls_client_auth_").removeprefix("san_")
    if kind == "subject_dn":
        return certificates.has_subject(found, wanted)
    return certificates.has_name(found, kind, wanted)


def _held(found: Certificate, key: dict[str, Any]) -> bool:
    chain, named = key.get("x5c"), key.get("x5t#S256")
    if isinstance(chain, list) and chain and isinstance(chain[0], str):
        try:
            return certificates.thumbprint(certificates.of_base64(chain[0])) == certificates.thumbprint(found)
        except certificates.Unreadable:
            return False
    if isinstance(named, str):
        return same(named, certificates.thumbprint(found))
    return certificates.spki(found) == certificates.spki_of(key)
