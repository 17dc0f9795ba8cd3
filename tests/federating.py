"""Verbs for tests of upstreams: two tenants that trust a third, over HTTP, and a provider that says what it is told."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import ec

from idp import directory
from idp.config import Settings
from idp.control import clients, tenants, upstreams, users
from idp.federation import providers
from idp.oauth import client_keys
from idp.prove.browser import Browser
from idp.prove.visitor import Party
from idp.prove.wire import Answer, Net
from tests.attacks.assertions import public
from tests.serving import served, until

_BUTTON = re.compile(r'<a class="button button-plain provider" href="([^"]+)">(.*?)</a>', re.DOTALL)
PASSWORD = "a password that only corp knows"
SECRET = "corp-knows-this-secret-0123456789-0123456789"


@dataclass
class World:
    """A server; the twins, who both trust the tenant `corp` under the very same names."""

    base: str
    net: Net

    def issuer(self, slug: str) -> str:
        """A tenant's issuer on this server."""
        return f"{self.base}/t/{slug}"

    def browser(self) -> Browser:
        """A browser that goes wherever this server's tenants send it."""
        return Browser(self.net, self.base)

    def party(self, slug: str) -> Party:
        """The application `web` of one of the twins."""
        secret = f"{slug}-web-secret-0123456789-0123456789"
        return Party(
            self.net, self.issuer(slug), "web", "http://localhost:8001/callback", secret, scope="openid profile email"
        )  # fmt: skip


def button(html: str, label: str) -> str:
    """Where the button of a provider leads."""
    for href, text in _BUTTON.findall(html):
        if label in re.sub("<[^>]+>", "", text):
            return unescape(href)
    raise AssertionError(f"no button with {label}: {html[:2000]}")


def by_corp(world: World, party: Party, browser: Browser, username: str = "carol", **changes: str) -> Answer:
    """Sign in at corp, if it asks, on the way that begins at the application's request; where that ends."""
    page = browser.get(button(party.authorize(browser, **changes).text, "Corp"))
    if 'id="login-form"' in page.text:
        assert page.url.startswith(world.issuer("corp")), page.url
        page = browser.submit(page, "login-form", "login-submit", username=username, password=PASSWORD)
    return page


@contextmanager
def world(vault: Settings, log: Path) -> Iterator[World]:
    """The server with the twins and corp on it; the twins are there already."""
    tenants.create("corp", "Corp")
    directory.forget_all()
    with served(vault, log) as (_, port, _), Net() as net:
        made = World(f"http://localhost:{port}", net)
        with tenants.enter("corp"):
            for name in ("carol", "dave"):
                users.create({
                    "username": name, "password": PASSWORD, "email": f"{name}@corp.example", "email_verified": True,
                    "name": name.title(),
                })  # fmt: skip
            for slug in ("acme", "globex"):
                clients.create(slug, {
                    "redirect_uris": [f"{made.issuer(slug)}/upstream/corp/callback"], "scope": "openid profile email",
                    "grant_types": ["authorization_code"], "require_consent": False,
                }, client_secret=SECRET)  # fmt: skip
        for slug in ("acme", "globex"):
            trust(made, slug)
        until(
            lambda: all(
                "Continue with" in made.party(slug).authorize(made.browser()).text
                for slug in ("acme", "globex")
            )
        )
        yield made


def offered(made: World, slug: str) -> None:
    """Wait until the server has heard of it."""
    party = made.party(slug)
    until(lambda: "Continue with" in party.authorize(made.browser()).text)


def trust(made: World, slug: str, **fields: Any) -> None:
    """Let a tenant's people sign in by corp."""
    given = {
        "issuer": made.issuer("corp"),
        "client_id": slug,
        "display_name": "Corp",
        "creation": True,
        **fields,
    }
    with tenants.enter(slug):
        upstreams.create("corp", given, client_secret=SECRET)


def named(answer: Answer, party: Party) -> dict[str, Any]:
    """The claims of the ID token that the application gets in the end, unverified."""
    tokens = party.redeem(party.code(answer)).json()
    return dict(pyjwt.decode(tokens["id_token"], options={"verify_signature": False}))


def query(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))


def forget() -> None:
    """Forget what this process has read of upstreams."""
    providers.forget()
    client_keys.forget()


@dataclass
class Provider:
    """An OpenID provider that says what a test tells it to say; `key` signs, `claims` go into its ID tokens."""

    port: int = 0
    key: Any = None
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    document: dict[str, Any] = field(default_factory=dict)
    """What its discovery document says otherwise; None takes a member away."""
    tokens: dict[str, Any] = field(default_factory=dict)
    """What its token endpoint says otherwise."""
    status: int = 200
    asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    """Method, path, form and headers of each request."""
    algorithm: str = "ES256"
    lists: list[Any] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        """Its issuer."""
        return f"http://localhost:{self.port}"

    def jwks(self) -> dict[str, Any]:
        """Its public key."""
        return {"keys": [public(self.key, "p")]}

    def told(self) -> dict[str, Any]:
        """Its discovery document."""
        plain = {
            "issuer": self.issuer,
            **{
                name: f"{self.issuer}/{name}"
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
            },
            "authorization_response_iss_parameter_supported": True,
        }
        if self.userinfo is not None:
            plain["userinfo_endpoint"] = f"{self.issuer}/userinfo_endpoint"
        return {name: value for name, value in {**plain, **self.document}.items() if value is not None}

    def answer(self, path: str) -> Any:
        """What lies at a path."""
        if path.endswith("/openid-configuration"):
            return self.told()
        if path == "/jwks_uri":
            return self.jwks()
        if path == "/userinfo_endpoint":
            return self.userinfo
        if path == "/emails":
            return self.lists
        return {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token(), **self.tokens}

    def id_token(self) -> str:
        """An ID token of `claims`, signed."""
        head = {"kid": "p", "typ": "JWT", **self.header}
        body = json.dumps(self.claims).encode()
        return pyjwt.api_jws.encode(body, self.key, algorithm=self.algorithm, headers=head)


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider on a port of its own, until the block ends."""
    made = Provider(key=ec.generate_private_key(ec.SECP256R1()))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            made.asked.append((self.command, self.path, form, dict(self.headers.items())))
            body = json.dumps(made.answer(self.path)).encode()
            self.send_response(made.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()
