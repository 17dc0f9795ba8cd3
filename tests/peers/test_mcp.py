"""The Model Context Protocol's official SDK: its client signs a person in for examples/mcp_server.

The client knows the server's address alone: the rest is found by what the server answers (RFC 9728), at the provider
(RFC 8414), and by the client's own metadata document or by registration (RFC 7591).
"""

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)

from idp.config import Settings
from idp.control import apis, tenants
from idp.tenants import Tenant, entered
from tests.doctor.certificates import CA_KEY, certificate, pem
from tests.peers.person import Person
from tests.running import TOP, within
from tests.serving import free, served

CALLBACK = "http://127.0.0.1:3030/callback"


@dataclass
class Described:
    """The client's own web server, over TLS: serves its metadata document and notes what was asked for."""

    url: str
    ca: Path
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    """A client that describes itself under https://localhost."""
    folder = tmp_path_factory.mktemp("mcp-client")
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "key").write_bytes(pem(key))
    (folder / "leaf").write_bytes(pem(certificate("localhost", "localhost", key)))
    (folder / "ca").write_bytes(pem(certificate("Doctor CA", "Doctor CA", CA_KEY, ca=True)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf", folder / "key")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            body = json.dumps(
                {
                    "client_id": made.url,
                    "client_name": "Notes Client",
                    "redirect_uris": [CALLBACK],
                    "grant_types": ["authorization_code", "refresh_token"],
                    "token_endpoint_auth_method": "none",
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        made = Described(f"https://localhost:{server.server_port}/client.json", folder / "ca")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture(scope="module")
def issuer(
    tenant: Tenant, vault: Settings, described: Described, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The tenant's issuer, on a server that trusts the certificate of the client's own server."""
    tenants.update(tenant.slug, {"policy": {"client_id_metadata_hosts": ["localhost"]}})
    log = tmp_path_factory.mktemp("mcp") / "serve.log"
    with served(vault, log, IDP_OUTBOUND_CA=str(described.ca)) as (_, port, _):
        yield f"http://localhost:{port}/t/{tenant.slug}"


@pytest.fixture(scope="module")
def server(issuer: str, tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the running example, which is an API of the tenant that anybody's application may ask for."""
    port = free()
    url = f"http://127.0.0.1:{port}/mcp"
    with entered(tenant):
        apis.create(
            url,
            {
                "name": "Notes",
                "scopes": {"notes.read": "Read your notes.", "notes.write": "Write notes."},
                "open_scopes": ["notes.read"],
            },
        )
    environment = {"PATH": os.environ["PATH"], "IDP_ISSUER": issuer, "PORT": str(port)}
    log = tmp_path_factory.mktemp("mcp-server") / "log"
    with log.open("wb") as output, ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, str(TOP / "examples" / "mcp_server" / "app.py")],
            env=environment, stdout=output, stderr=output,
        )  # fmt: skip
        stack.callback(process.wait, 15)
        stack.callback(process.terminate)
        assert within(30, lambda: _answers(url)), log.read_text()
        yield url


def _answers(url: str) -> bool:
    try:
        return requests.post(url, timeout=5).status_code == 401
    except requests.ConnectionError:
        return False


@dataclass
class Memory:
    """What a client keeps, as the SDK asks for it."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def called(server: str, person: Person, memory: Memory, document: str | None) -> tuple[str, list[str]]:
    """What the tool says to the person, twice, with a refresh between; and the addresses to which the SDK sent them."""
    sent: list[str] = []

    async def redirect(url: str) -> None:
        sent.append(url)

    async def callback() -> AuthorizationCodeResult:
        back = await anyio.to_thread.run_sync(person.visit, sent[-1])
        said = parse_qs(urlsplit(back["url"]).query)
        return AuthorizationCodeResult(code=said["code"][0], state=said["state"][0], iss=said["iss"][0])

    async def run() -> str:
        metadata = OAuthClientMetadata(
            redirect_uris=[CALLBACK], client_name="Notes Client", token_endpoint_auth_method="none"
        )
        auth = OAuthClientProvider(server, metadata, memory, redirect, callback, client_metadata_url=document)
        async with (
            httpx2.AsyncClient(auth=auth, timeout=30) as http,
            Client(streamable_http_client(server, http_client=http)) as client,
        ):
            first = await client.call_tool("notes", {})
            auth.context.token_expiry_time = 1.0
            second = await client.call_tool("notes", {})
        assert first.content[0].text == second.content[0].text
        return str(second.content[0].text)

    return anyio.run(run), sent


def test_the_document_of_the_client_is_enough(
    server: str, issuer: str, described: Described, person: Person
) -> None:
    memory = Memory()
    said, sent = called(server, person, memory, described.url)
    asked = parse_qs(urlsplit(sent[0]).query)
    assert asked["client_id"] == [described.url] and asked["resource"] == [server]
    assert asked["code_challenge_method"] == ["S256"]
    assert said.startswith("The first note of ") and described.asked == ["/client.json"]
    assert person.seen == ["login", "consent"]
    assert memory.tokens is not None and set(memory.tokens.scope.split()) == {"notes.read", "offline_access"}
    assert len(sent) == 1, "the second call went by a refresh"


def test_registration_where_the_client_has_no_document(server: str, issuer: str, person: Person) -> None:
    memory = Memory()
    said, _ = called(server, person, memory, None)
    assert said.startswith("The first note of ")
    assert memory.client is not None and memory.client.client_id != ""


def test_the_server_says_where_its_tokens_come_from(server: str, issuer: str) -> None:
    answer = requests.post(server, timeout=10)
    where = f"{server.removesuffix('/mcp')}/.well-known/oauth-protected-resource/mcp"
    assert answer.status_code == 401
    said = answer.headers["WWW-Authenticate"]
    assert said.startswith("Bearer ") and f'resource_metadata="{where}"' in said
    document = requests.get(where, timeout=10).json()
    assert document["resource"] == server and document["authorization_servers"] == [issuer]
    assert document["scopes_supported"] == ["notes.read"]


@pytest.fixture
def good(server: str, person: Person, described: Described) -> str:
    """An access token that the server takes."""
    memory = Memory()
    called(server, person, memory, described.url)
    assert memory.tokens is not None
    return memory.tokens.access_token


def asked(server: str, token: str) -> int:
    """The status of the server's answer to one token."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    heads = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    return requests.post(server, json=call, headers=heads, timeout=10).status_code


def test_no_other_token_opens_it(server: str, issuer: str, person: Person, good: str) -> None:
    assert asked(server, good) == 200
    head, body, signature = good.split(".")
    memory = Memory()
    for bad in (
        "", "x", f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body[:-4]}AAAA.{signature}",
        "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + body + ".",
    ):  # fmt: skip
        assert asked(server, bad) == 401, bad
    assert memory.tokens is None


def test_neither_a_token_for_userinfo_nor_an_id_token_opens_it(
    server: str, issuer: str, person: Person
) -> None:
    """Of the same issuer and the same person, for another audience or of another type."""
    from tests.peers.clients import CALLBACK as THEIRS
    from tests.playing import pkce

    verifier, challenge = pkce()
    query = {
        "client_id": "public", "response_type": "code", "redirect_uri": THEIRS, "scope": "openid", "state": "s",
        "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    url = requests.Request("GET", f"{issuer}/authorize", params=query).prepare().url
    code = parse_qs(urlsplit(person.visit(str(url))["url"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": THEIRS, "code_verifier": verifier,
        "client_id": "public",
    }  # fmt: skip
    tokens = requests.post(f"{issuer}/token", data=form, timeout=10).json()
    assert asked(server, tokens["access_token"]) == 401
    assert asked(server, tokens["id_token"]) == 401


def test_a_scope_that_is_not_open_is_not_for_strangers(
    server: str, issuer: str, described: Described, person: Person
) -> None:
    query = {
        "client_id": described.url, "response_type": "code", "redirect_uri": CALLBACK, "scope": "notes.write",
        "resource": server, "code_challenge": "x" * 43, "code_challenge_method": "S256",
    }  # fmt: skip
    person.visit(
        str(
            requests.Request("GET", f"{issuer}/authorize", params={**query, "scope": "notes.read"})
            .prepare()
            .url
        )
    )
    url = requests.Request("GET", f"{issuer}/authorize", params=query).prepare().url
    assert "error=invalid_scope" in person.visit(str(url))["url"]
