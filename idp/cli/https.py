"""https for development: whether `idp up` speaks it, which names it vouches for, and who trusts it here."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from idp import config
from idp.config import Settings
from idp.embedded import NotPossible, authority
from idp.embedded.authority import Certificate
from idp.embedded.deployment import Deployment, find


def wanted(deployment: Deployment, asked: bool | None) -> bool:
    """Whether this run speaks https itself: as asked, else as the last one did. Raises NotPossible."""
    base = deployment.environment().get("IDP_BASE_URL")
    plain = base is not None and not base.startswith("https://")
    if asked and plain:
        raise NotPossible(f"--tls needs a base URL of https: leave out --tls or IDP_BASE_URL ({base}).")
    return bool(deployment.folder.state().get("tls")) and not plain if asked is None else asked


def base_url(given: Mapping[str, str], port: int, *, tls: bool) -> str:
    """Under which address this run is reached."""
    return given.get("IDP_BASE_URL", f"{'https' if tls else 'http'}://localhost:{port}")


def certificate(settings: Settings) -> Certificate:
    """The certificate for the names under which this deployment is reached. Raises NotPossible."""
    domain = [settings.domain.lower(), f"*.{settings.domain.lower()}"] if settings.domain else []
    host = urlsplit(settings.base_url).hostname or ""
    return authority.certificate(settings.keys, [host, *domain])


def context(shown: Certificate | None) -> ssl.SSLContext | None:
    """What a client of ours trusts: the authority alone; None for plain http."""
    return ssl.create_default_context(cafile=str(shown.authority)) if shown else None


def trusted(shown: Certificate | None) -> dict[str, str]:
    """The environment in which programs of OpenSSL and of requests trust the authority."""
    path = str(shown.authority) if shown else ""
    return {"SSL_CERT_FILE": path, "REQUESTS_CA_BUNDLE": path} if shown else {}


def trust(home: Path | None) -> None:
    """Let this process, and those that it starts, trust the authority where the deployment speaks https with it.

    `home`: as the command line named it. For commands that reach nobody but the deployment by TLS: what else the
    environment trusts gives way.
    """
    folder = find(home).folder
    shown = authority.files(folder.keys).authority
    if folder.state().get("tls") and shown.is_file():
        config.hand_down(SSL_CERT_FILE=str(shown))
