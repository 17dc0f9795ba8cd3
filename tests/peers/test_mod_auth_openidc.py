"""Debian's mod_auth_openidc: Apache signs people in before a page that knows nothing of it."""

import getpass
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from idp.control import clients
from idp.tenants import Tenant, entered
from tests.peers.clients import SCOPE
from tests.peers.person import Person
from tests.running import within
from tests.serving import free, get

APACHE = shutil.which("apache2", path="/usr/sbin:/usr/bin")
MODULES = Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "auth_openidc")
SECRET = "peers-apache-secret-0123456789-0123456789"
CONFIGURATION = """
ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
{modules}
{user}
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID apache
OIDCClientSecret {secret}
OIDCRedirectURI http://localhost:{port}/page/redirect_uri
OIDCCryptoPassphrase {secret}
OIDCScope "{scope}"
OIDCPKCEMethod S256
{more}
<Location /page/>
  AuthType openid-connect
  Require valid-user
</Location>
ProxyPass /page/ http://127.0.0.1:{behind}/
"""
pytestmark = pytest.mark.skipif(
    APACHE is None or not (MODULES / "mod_auth_openidc.so").exists(),
    reason="no Apache with mod_auth_openidc here; apt-get install libapache2-mod-auth-openidc",
)


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    """The port of the page that knows nothing: it answers with the headers that it was given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(dict(self.headers.items())).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def port(tenant: Tenant) -> int:
    """Apache's port, which is part of the client's addresses."""
    port = free()
    address = f"http://localhost:{port}"
    fields = {
        "redirect_uris": [f"{address}/page/redirect_uri"], "post_logout_redirect_uris": [f"{address}/bye"],
        "grant_types": ["authorization_code", "implicit", "refresh_token"], "scope": SCOPE,
        "response_types": ["code", "code id_token", "id_token"], "require_consent": False,
    }  # fmt: skip
    with entered(tenant):
        clients.create("apache", fields, client_secret=SECRET)
    return port


@contextmanager
def apache(folder: Path, port: int, issuer: str, behind: int, more: str) -> Iterator[None]:
    """Apache in the foreground, until the block ends."""
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
    root = getpass.getuser() == "root"
    path = folder / "apache2.conf"
    text = CONFIGURATION.format(
        folder=folder, port=port, modules=modules, issuer=issuer, secret=SECRET, scope=SCOPE, more=more,
        behind=behind, user="User www-data\nGroup www-data" if root else "",
    )  # fmt: skip
    path.write_text(text)
    process = subprocess.Popen(
        [str(APACHE), "-f", str(path), "-D", "FOREGROUND"], stderr=subprocess.PIPE, text=True
    )

    def answers() -> bool:
        assert process.poll() is None, process.stderr.read()
        try:
            return get(port, "/")[0] > 0
        except OSError:
            return False

    try:
        assert within(20, answers)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def seen_behind(person: Person, port: int) -> dict[str, str]:
    """The headers behind Apache, after the person went wherever they were sent."""
    page = f"http://localhost:{port}/page/"
    out = person.session.get(page, allow_redirects=False, timeout=20)
    back = person.visit(out.headers["Location"])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    method, body, headers = ("POST", back["body"], form) if "body" in back else ("GET", None, {})
    landed = person.session.request(method, back["url"], data=body, headers=headers, timeout=20)
    assert landed.status_code == 200 and landed.url == page, (landed.status_code, landed.url, landed.text)
    return dict(landed.json())


@pytest.mark.parametrize(
    "more",
    [
        "",
        "OIDCResponseMode form_post",
        "OIDCProviderTokenEndpointAuth client_secret_basic",
        'OIDCResponseType "code id_token"\nOIDCResponseMode form_post',
        "OIDCResponseType id_token\nOIDCResponseMode form_post",
    ],
    ids=["code", "form_post", "client_secret_basic", "hybrid", "implicit"],
)
def test_people_reach_the_page_with_their_claims_and_are_signed_out_here_too(
    issuer: str, person: Person, port: int, behind: int, tmp_path: Path, more: str
) -> None:
    with apache(tmp_path, port, issuer, behind, more):
        headers = seen_behind(person, port)
        assert headers["OIDC_CLAIM_iss"] == issuer and headers["OIDC_CLAIM_aud"] == "apache"
        assert headers["OIDC_CLAIM_groups"] == "engineers"
        if "id_token" not in more:
            assert (headers["OIDC_CLAIM_name"], headers["OIDC_CLAIM_email_verified"]) == ("Alice Adams", "1")
        bye = f"http://localhost:{port}/bye"
        out = person.session.get(
            f"http://localhost:{port}/page/redirect_uri?logout={quote(bye, safe='')}",
            allow_redirects=False,
            timeout=20,
        )
        assert person.visit(out.headers["Location"])["url"].startswith(bye)
        assert person.seen == ["login", "logout"]
