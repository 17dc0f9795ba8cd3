"""One provider as people run it, `idp up --tls`, for the plans of this folder: over sockets and TLS, in real time.

It has the tenant of `examples/certification/blueprint.yaml`, and the twins; Acme is ready for the plans whose clients
register themselves. What its applications serve is on this machine too, over https, by an authority of these tests.
"""

import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp import directory
from idp.tenants import Tenant
from tests.conftest import TWINS
from tests.doctor.certificates import CA_KEY, certificate, pem
from tests.receiving import document_server
from tests.running import TOP, Up, free_ports, idp, up
from tests.spec.certification.over_tls.speaking import PATIENCE, Provider, applied

BLUEPRINT = TOP / "examples" / "certification" / "blueprint.yaml"
READY = {
    "client_registration": "open", "registrations": 10_000, "registered_clients": 10_000,
    "registered_clients_of_one": 10_000, "implicit_flow": True, "hybrid_flow": True, "require_pkce": "public",
    "tenant_claims_in_id_token": False, "request_uri_parameter": True, "assertion_for_token_endpoint": True,
    "session_management": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an authority, and of a certificate of its for localhost with the key."""
    folder = tmp_path_factory.mktemp("applications")
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "ca.crt").write_bytes(pem(certificate("Doctor CA", "Doctor CA", CA_KEY, ca=True)))
    (folder / "leaf.crt").write_bytes(pem(certificate("localhost", "localhost", key)))
    (folder / "leaf.key").write_bytes(pem(key))
    return folder


@pytest.fixture(scope="module")
def tls(authority: Path) -> ssl.SSLContext:
    """What an application's own server speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "leaf.crt", authority / "leaf.key")
    return context


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Iterator[Up]:
    home = tmp_path_factory.mktemp("certification") / "home"
    reached = {"IDP_OUTBOUND_CA": str(authority / "ca.crt"), "IDP_OUTBOUND_ALLOW": "localhost"}
    with up(home, "--tls", port=free_ports(), **reached) as started:
        started.wait_ready()
        done = idp("apply", str(BLUEPRINT), str(TWINS), "--home", str(home), timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        web = {
            "client_id": "web",
            "redirect_uris": [f"{way}://localhost:8001/callback" for way in ("http", "https")],
        }
        applied(started, slug="acme", policy=READY, clients=[web])
        yield started
        assert started.end() == 0


@pytest.fixture(scope="module")
def app(running: Up) -> Provider:
    return Provider(f"https://localhost:{running.port}", str(running.home / "keys" / "local-ca.crt"))


def _tenant(app: Provider, slug: str, name: str) -> Tenant:
    return Tenant(UUID(int=1), slug, name, "active", f"{app.base}/t/{slug}")


@pytest.fixture(scope="module")
def certification(app: Provider) -> Tenant:
    return _tenant(app, "certification", "Certification")


@pytest.fixture(scope="module")
def acme(app: Provider) -> Tenant:
    return _tenant(app, "acme", "Acme Corporation")


@pytest.fixture(scope="module")
def op(acme: Tenant) -> Tenant:
    """The tenant with which applications register themselves."""
    return acme


@pytest.fixture
def watching(acme: Tenant) -> Tenant:
    """The tenant whose sessions may be watched."""
    return acme


@pytest.fixture(scope="module")
def documents(tls: ssl.SSLContext) -> Callable[[], Any]:
    """A client's own web server."""
    return partial(document_server, tls)


@pytest.fixture(scope="module")
def later() -> Callable[[float], None]:
    """Time passes by itself."""
    return time.sleep


@pytest.fixture
def rotate(running: Up) -> Callable[[str], None]:
    """Replace a tenant's signing keys, as an operator does."""

    def rotated(slug: str) -> None:
        done = idp("keys", "rotate", "--tenant", slug, "--home", str(running.home), timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        time.sleep(2 * directory.POLL)

    return rotated


@pytest.fixture
def frozen() -> Callable[..., Any]:
    """Nothing is frozen outside of this process: as much of the time as a module needs passes."""

    class Clock:
        def tick(self, by: Any) -> None:
            time.sleep(min(by.total_seconds(), 2.1))

    @contextmanager
    def real(_instant: Any = None) -> Iterator[Clock]:
        yield Clock()

    return real


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory, running: Up, authority: Path) -> Path:
    """The home of somebody whose Chromium trusts both authorities. Skips where nobody can say so to it."""
    if not shutil.which("certutil"):
        pytest.skip("no certutil (libnss3-tools); no browser trusts the local authority")
    home = tmp_path_factory.mktemp("person")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
    for name, file in (
        ("local", running.home / "keys" / "local-ca.crt"),
        ("applications", authority / "ca.crt"),
    ):
        trust = ["-A", "-t", "C,,", "-n", name, "-i", str(file)]
        subprocess.run(["certutil", "-d", f"sql:{store}", *trust], check=True)
    return home
