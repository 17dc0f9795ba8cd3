"""Certificates as a browser sees them: of whom, for which host, until when."""

import datetime as dt
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from idp import clock
from idp.control.doctor import wire
from idp.control.doctor.finding import Examination, Finding, error, warning
from idp.control.doctor.world import NotTried, World

SOON = dt.timedelta(days=14)
"""A certificate that ends sooner was not renewed in time."""
_EXPIRED, _NOT_YET, _OTHER_HOST = 10, 9, 62
"""X509_V_ERR_CERT_HAS_EXPIRED, …_CERT_NOT_YET_VALID, …_HOSTNAME_MISMATCH of OpenSSL."""


def certificates(world: World) -> Iterator[Finding]:
    """Each host under which the provider is reached by https."""
    if not world.settings.secure:
        raise NotTried("The base URL is http, so there is no certificate.")
    host, silent = urlsplit(world.settings.base_url).hostname or "", []
    places = {host: world.place()}
    if world.closed is None:
        places |= {one.host: (one.host, 443) for row in world.tenants() for one in row.hosts if one.counts}
    for name, place in places.items():
        try:
            yield from _certificate(name, place, world.context())
        except wire.Silent as reason:
            silent.append(str(reason))
    if silent:
        raise NotTried(f"Not every certificate could be seen: {', '.join(silent)}.")


def _certificate(host: str, place: tuple[str, int], context: ssl.SSLContext) -> Iterator[Finding]:
    where, renew = (
        f"the certificate of {host}",
        "Renew it where https ends; see the proxy's log for why it was not.",
    )
    with wire.connect(place) as raw:
        try:
            with context.wrap_socket(raw, server_hostname=host) as line:
                ends = _ends(line)
        except ssl.SSLCertVerificationError as problem:
            yield _refused(host, where, problem)
            return
        except OSError:
            yield error(
                "tls.none",
                f"Port {place[1]} of {place[0]} does not speak TLS.",
                "the proxy in front",
                f"Let it end https for {host}.",
            )
            return
    left = ends - clock.now()
    if left < SOON:
        yield warning(
            "tls.soon",
            f"The certificate of {host} ends in {max(left.days, 0)} days, at {ends:%Y-%m-%d}.",
            where,
            renew,
        )


def _ends(line: ssl.SSLSocket) -> dt.datetime:
    found = line.getpeercert() or {}
    return clock.from_instant(ssl.cert_time_to_seconds(str(found["notAfter"])))


def _refused(host: str, where: str, problem: ssl.SSLCertVerificationError) -> Finding:
    if problem.verify_code == _OTHER_HOST:
        return error(
            "tls.host",
            f"The certificate that is shown for {host} is one of other hosts.",
            where,
            f"Get a certificate that names {host}, and let the proxy show it.",
        )
    if problem.verify_code in (_EXPIRED, _NOT_YET):
        return error(
            "tls.expired",
            f"The certificate of {host} is not valid now: {problem.verify_message}.",
            where,
            "Renew it, and compare the clock of this machine.",
        )
    return error(
        "tls.untrusted",
        f"Nobody trusts the certificate of {host}: {problem.verify_message}.",
        where,
        "Let the proxy send the whole chain; for a CA of your own set SSL_CERT_FILE.",
    )


EXAMINATIONS = (Examination("tls", "Certificates", certificates),)
