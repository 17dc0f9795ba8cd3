"""Verbs for tests: a relying party and a person with a browser, in this thread, over WSGI.

code = rp.authorize(browser).login("alice", PASSWORD).code
tokens = rp.exchange(code)
"""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt as pyjwt

from idp.tenants import Tenant

PASSWORDS = {
    ("acme", "alice"): "correct horse battery staple",
    ("acme", "bob"): "paper lantern quiet harbour",
    ("globex", "alice"): "seven green kettles whistling",
    ("globex", "bob"): "slow river under the bridge",
}


def pkce() -> tuple[str, str]:
    """A code_verifier and its S256 code_challenge (RFC 7636 §4.1, §4.2)."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def inputs(html: str) -> dict[str, str]:
    """The hidden inputs of a page."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", html):
        values = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if values.get("type") == "hidden" and "name" in values:
            found[values["name"]] = _text(values.get("value", ""))
    return found


def _text(value: str) -> str:
    for entity, plain in (("&#34;", '"'), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        value = value.replace(entity, plain)
    return value


def local(url: str, tenant: Tenant) -> str:
    """The path and query of an address of the tenant's issuer."""
    assert url.startswith(tenant.issuer), url
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


@dataclass
class Visit:
    """Where a browser stands after an authorization request."""

    rp: "RelyingParty"
    browser: Any
    answer: Any

    @property
    def location(self) -> str:
        """Where the answer leads."""
        return str(self.answer.headers.get("Location", ""))

    def follow(self) -> "Visit":
        """Follow redirects within the issuer until a page or the relying party is reached."""
        while self.answer.status_code == 303 and self.location.startswith(self.rp.tenant.issuer):
            self.page = local(self.location, self.rp.tenant)
            self.answer = self.browser.get(self.page)
        return self

    page: str = ""

    @property
    def html(self) -> str:
        """The page."""
        return str(self.answer.get_data(as_text=True))

    @property
    def params(self) -> dict[str, str]:
        """The parameters with which the browser came back to the relying party."""
        assert self.location.startswith(self.rp.redirect_uri), (
            self.answer.status_code,
            self.location,
            self.html[:500],
        )
        return dict(parse_qsl(urlsplit(self.location).query))

    @property
    def fragment(self) -> dict[str, str]:
        """The parameters behind the fragment with which the browser came back; there is nothing in the query."""
        parts = urlsplit(self.location)
        assert self.location.startswith(self.rp.redirect_uri) and not parts.query, self.location
        return dict(parse_qsl(parts.fragment))

    @property
    def code(self) -> str:
        """The code that came back."""
        assert "code" in self.params, self.params
        return self.params["code"]

    def submit(self, **values: str) -> "Visit":
        """Post the page's form with its hidden inputs and `values`."""
        self.answer = self.browser.post(self.page, data={**inputs(self.html), **values})
        return self.follow()

    def login(self, username: str, password: str | None = None) -> "Visit":
        """Sign in on the page."""
        known = PASSWORDS.get((self.rp.tenant.slug, username), "")
        return self.submit(
            username=username, password=password if password is not None else known, action="login"
        )

    def choose(self, action: str = "continue") -> "Visit":
        """Press a button of the account page."""
        assert 'id="account-form"' in self.html, self.html[:500]
        return self.submit(action=action)

    def consent(self, action: str = "allow") -> "Visit":
        """Answer the consent page."""
        return self.submit(action=action)


@dataclass
class RelyingParty:
    """A client of a tenant, as its own program would act."""

    app: Any
    tenant: Tenant
    client_id: str = "web"
    secret: str | None = None
    redirect_uri: str = "http://localhost:8001/callback"
    method: str = "client_secret_basic"
    verifier: str = ""
    state: str = "s-123"
    nonce: str = "n-456"
    extra: dict[str, str] = field(default_factory=dict)

    def browser(self) -> Any:
        """A person's browser, with cookies of its own."""
        return self.app.test_client()

    def request(self, **changes: str | None) -> dict[str, str]:
        """The parameters of an authorization request; None leaves one out."""
        self.verifier, challenge = pkce()
        params: dict[str, str | None] = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email offline_access",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **self.extra,
            **changes,
        }
        return {name: value for name, value in params.items() if value is not None}

    def authorize(self, browser: Any = None, **changes: str | None) -> Visit:
        """Send a browser to /authorize and follow it to the page that is due, or back."""
        browser = browser or self.browser()
        answer = browser.get(f"/t/{self.tenant.slug}/authorize?{urlencode(self.request(**changes))}")
        return Visit(self, browser, answer).follow()

    def post(self, endpoint: str, form: dict[str, str], *, authenticated: bool = True, **options: Any) -> Any:
        """Post to a token-like endpoint as this client."""
        headers = dict(options.pop("headers", {}))
        if authenticated and self.method == "client_secret_basic":
            pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        elif authenticated:
            form = {"client_id": self.client_id, **form}
            if self.secret is not None:
                form = {"client_secret": self.secret, **form}
        path = f"/t/{self.tenant.slug}/{endpoint}"
        return self.app.test_client().post(path, data=form, headers=headers, **options)

    def redeem(self, code: str, **changes: str | None) -> Any:
        """The answer of the token endpoint to a code."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.post("token", {name: value for name, value in form.items() if value is not None})

    def exchange(self, code: str) -> dict[str, Any]:
        """The tokens that a code becomes."""
        answer = self.redeem(code)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def sign_in(self, username: str = "alice", browser: Any = None, **changes: str | None) -> dict[str, Any]:
        """The whole way: tokens for a person."""
        return self.exchange(self.authorize(browser, **changes).login(username).code)

    def refresh(self, token: str, **changes: str) -> Any:
        """The answer of the token endpoint to a refresh token."""
        return self.post("token", {"grant_type": "refresh_token", "refresh_token": token, **changes})

    def userinfo(self, token: str) -> Any:
        """The answer of userinfo."""
        path = f"/t/{self.tenant.slug}/userinfo"
        return self.app.test_client().get(path, headers={"Authorization": f"Bearer {token}"})

    def introspect(self, token: str) -> dict[str, Any]:
        """What introspection says of a token."""
        answer = self.post("introspect", {"token": token})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def verified(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a token, checked by an independent library against the published keys."""
        keys = self.app.test_client().get(f"/t/{self.tenant.slug}/jwks.json").get_json()
        kid = pyjwt.get_unverified_header(token)["kid"]
        key = next(pyjwt.PyJWK(each) for each in keys["keys"] if each["kid"] == kid)
        return dict(
            pyjwt.decode(
                token, key.key, algorithms=[key.algorithm_name], audience=audience, issuer=self.tenant.issuer
            )
        )


def relying_party(app: Any, tenant: Tenant, client_id: str = "web") -> RelyingParty:
    """One of the twins' clients (tests/twins.yaml)."""
    ports = {"web": 8001, "spa": 8003, "asks": 8004}
    methods = {"spa": "none", "asks": "client_secret_post"}
    secret = None if client_id == "spa" else f"{tenant.slug}-{client_id}-secret-0123456789-0123456789"
    return RelyingParty(
        app,
        tenant,
        client_id,
        secret,
        f"http://localhost:{ports.get(client_id, 8001)}/callback",
        methods.get(client_id, "client_secret_basic"),
    )


def query(url: str) -> dict[str, list[str]]:
    """The query of an address."""
    return parse_qs(urlsplit(url).query)
