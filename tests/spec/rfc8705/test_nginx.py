"""examples/mtls/nginx.conf, run by nginx itself: real connections, real certificates, and what strangers try."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from idp.config import Settings
from idp.tenants import Tenant
from tests.attacks.acting import client
from tests.serving import free, served, until
from tests.spec.rfc8705.certifying import SECRET, Shown, certificate, names
from tests.spec.rfc8705.test_mutual_tls import jwk

EXAMPLE = Path(__file__).parents[3] / "examples" / "mtls" / "nginx.conf"
MINE, OTHER, VICTIM = certificate(), certificate("CN=thief"), certificate("CN=victim")

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="no nginx here; apt-get install nginx-light"
)


@dataclass
class Front:
    """nginx before a provider."""

    plain: int
    mutual: int
    behind: int
    folder: Path

    def ask(
        self, shown: Shown | None, path: str, form: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, str]:
        """Status and body of a request over a connection with this certificate; `plain`: where nobody asks for one."""
        context = ssl.create_default_context(cafile=self.folder / "tls" / "server.crt")
        if shown is not None:
            for name, content in (("crt", shown.pem.encode()), ("key", shown.key_pem)):
                (self.folder / f"client.{name}").write_bytes(content)
            context.load_cert_chain(self.folder / "client.crt", self.folder / "client.key")
        where = self.plain if options.get("plain") else self.mutual
        host = "id.localhost" if options.get("plain") else "mtls.localhost"
        connection = HTTPSConnection("localhost", where, context=context, timeout=10)
        headers = {"Host": f"{host}:{where}", "Content-Type": "application/x-www-form-urlencoded"}
        headers |= options.get("headers", {})
        connection.request(
            "GET" if form is None else "POST", path, urlencode(form) if form else None, headers
        )
        answer = connection.getresponse()
        try:
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def token(self, shown: Shown | None, **options: Any) -> tuple[int, str]:
        """Ask for a token in the client's own name."""
        form = {"grant_type": "client_credentials", "client_id": "service"}
        return self.ask(shown, "/t/acme/token", form, **options)


@pytest.fixture
def front(vault: Settings, acme: Tenant, tmp_path: Path) -> Iterator[Front]:
    """The example, with this machine's ports and names for those that it shows."""
    client(
        acme, "service", token_endpoint_auth_method="self_signed_tls_client_auth", jwks={"keys": [jwk(MINE)]},
        grant_types=["client_credentials"], redirect_uris=None, scope="own.things",
        tls_client_certificate_bound_access_tokens=True,
    )  # fmt: skip
    client(acme, "victim", token_endpoint_auth_method="self_signed_tls_client_auth", jwks={"keys": [jwk(VICTIM)]},
           grant_types=["client_credentials"], redirect_uris=None, scope="own.things")  # fmt: skip
    plain, mutual = free(), free()
    server = certificate(
        "CN=localhost", names=(*names("dns", "localhost"), *names("dns", "*.localhost")), use=None, ca=True
    )
    folder = tmp_path / "nginx"
    (folder / "tls").mkdir(parents=True)
    (folder / "tls" / "server.crt").write_text(server.pem)
    (folder / "tls" / "server.key").write_bytes(server.key_pem)
    (folder / "secret.conf").write_text(f"set $idp_secret {SECRET};\n")
    more = {
        "IDP_TRUSTED_PROXIES": "127.0.0.1", "IDP_CLIENT_CERTIFICATE_SECRET": SECRET,
        "IDP_BASE_URL": f"https://id.localhost:{plain}", "IDP_MTLS_BASE_URL": f"https://mtls.localhost:{mutual}",
    }  # fmt: skip
    with served(vault, tmp_path / "serve.log", **more) as (_, behind, _):
        text = EXAMPLE.read_text()
        listening = "listen 443 ssl;\n        server_name "
        for name, port in (("id", plain), ("mtls", mutual)):
            shown = f"{listening}{name}.example.com" if name == "id" else f"{listening}{name}.id.example.com"
            assert shown in text
            text = text.replace(shown, f"listen 127.0.0.1:{port} ssl;\n        server_name {name}.localhost")
        assert text.count("http://127.0.0.1:8000") == 2
        text = text.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{behind}")
        (folder / "nginx.conf").write_text(text)
        command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            found = Front(plain, mutual, behind, folder)
            until(lambda: process.poll() is not None or found.ask(None, "/livez", plain=True))
            assert process.poll() is None, (folder / "error.log").read_text()
            yield found
        finally:
            process.terminate()
            process.wait(10)


def test_mt01_mt02_mt03_mt04_through_nginx(front: Front) -> None:
    assert front.token(MINE)[0] == 200
    assert {front.token(shown)[0] for shown in (OTHER, None)} == {401}
    assert front.token(certificate(days=(-9, -1), key=MINE.key))[0] == 400  # nginx itself
    # What a stranger sends as the header is overwritten, and in another spelling goes nowhere.
    theirs = quote(VICTIM.pem)
    form = {"grant_type": "client_credentials", "client_id": "victim"}
    assert front.ask(VICTIM, "/t/acme/token", form)[0] == 200
    for name in (
        "X-Client-Certificate",
        "X_Client_Certificate",
        "x-client_certificate",
        "X-SSL-Client-Cert",
        "Client-Cert",
    ):
        for value in (theirs, f"{SECRET} {theirs}"):
            for shown, plain in ((OTHER, False), (None, False), (None, True)):
                sent = {name: value}
                status, body = front.ask(shown, "/t/acme/token", form, headers=sent, plain=plain)
                assert status == 401 and "invalid_client" in body, (name, status, body)


def test_where_browsers_are_nobody_is_asked_for_a_certificate(front: Front) -> None:
    assert front.token(MINE, plain=True)[0] == 401
    status, body = front.ask(None, "/t/acme/.well-known/openid-configuration", plain=True)
    assert status == 200 and f"https://mtls.localhost:{front.mutual}/t/acme/token" in body
    for path in ("/t/acme/authorize", "/t/acme/.well-known/openid-configuration", "/livez"):
        assert front.ask(None, path)[0] == 404, path
