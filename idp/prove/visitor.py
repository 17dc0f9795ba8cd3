"""A relying party and the person in front of it, over HTTP, from nothing but an issuer and credentials.

    with Net() as net:
        party = Party(net, issuer, "web", callback, secret)
        tokens = party.sign_in(Browser(net, issuer), "alice", password)

Every address comes from discovery; pages are driven by the public ids of their forms and fields.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from idp.prove import clock
from idp.prove.browser import Browser, forms
from idp.prove.promises import Unexpected
from idp.prove.wire import Answer, Net

SCOPE = "openid profile email offline_access"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 60


def pkce() -> tuple[str, str]:
    """A code_verifier and its S256 code_challenge (RFC 7636 §4.1, §4.2)."""
    verifier = secrets.token_urlsafe(32)
    return verifier, b64(hashlib.sha256(verifier.encode()).digest())


def b64(raw: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def one_time_code(key: str, ahead: int = 0) -> str:
    """What an authenticator app shows that was told this key in base32 (RFC 6238), so many steps of 30 s `ahead`."""
    plain = key.replace(" ", "")
    secret = base64.b32decode(plain + "=" * (-len(plain) % 8))
    step = int(clock.now().timestamp()) // 30 + ahead
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at : at + 4], 'big') & 0x7FFF_FFFF) % 10**6:06d}"


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of client_secret_basic (RFC 6749 §2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def assertion(client_id: str, audience: str, key: Mapping[str, Any], **changes: Any) -> str:
    """A client's assertion signed with its private JWK (RFC 7523 §2.2), used once; `changes` of its claims."""
    now = int(clock.now().timestamp())
    claims = {
        "iss": client_id, "sub": client_id, "aud": audience, "jti": secrets.token_urlsafe(16),
        "iat": now, "exp": now + ASSERTION_SECONDS, **changes,
    }  # fmt: skip
    header = {"alg": "ES256", "kid": key["kid"], "typ": "client-authentication+jwt"}
    return jwt.encode(header, claims, ECKey.import_key(cast(Any, dict(key))))


def request_object(
    client_id: str, audience: str, key: Mapping[str, Any], request: Mapping[str, str], **changes: Any
) -> str:
    """An authorization request that a client has signed with its private JWK (RFC 9101 §4); `changes` of its claims."""
    now = int(clock.now().timestamp())
    claims = {
        **request, "client_id": client_id, "iss": client_id, "aud": audience, "iat": now,
        "exp": now + ASSERTION_SECONDS, **changes,
    }  # fmt: skip
    header = {"alg": "ES256", "kid": key["kid"], "typ": "oauth-authz-req+jwt"}
    return jwt.encode(header, claims, ECKey.import_key(cast(Any, dict(key))))


def dpop_proof(key: ECKey, method: str, address: str, token: str = "") -> str:
    """A proof that a request, and the access token in it, is of whoever holds `key` (RFC 9449 §4.2)."""
    claims = {
        "jti": secrets.token_urlsafe(16), "htm": method, "htu": address, "iat": int(clock.now().timestamp()),
        **({"ath": b64(hashlib.sha256(token.encode()).digest())} if token else {}),
    }  # fmt: skip
    public = cast(Any, key.as_dict(private=False))
    return jwt.encode({"alg": "ES256", "typ": "dpop+jwt", "jwk": public}, claims, key)


@dataclass(slots=True)
class Party:
    """One client of one tenant, as its own program would act."""

    net: Net
    issuer: str
    client_id: str
    redirect_uri: str = ""
    secret: str | None = None
    method: str = "client_secret_basic"
    key: Mapping[str, Any] | None = None
    """Private JWK, for `private_key_jwt`."""
    scope: str = SCOPE
    verifier: str = ""
    state: str = ""
    nonce: str = ""
    _metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, Any]:
        """The discovery document, fetched once. Raises Unexpected when it is another issuer's."""
        if not self._metadata:
            self._metadata = discovery(self.net, self.issuer)
        return self._metadata

    def request(self, **changes: str) -> dict[str, str]:
        """The parameters of a new authorization request; an empty one in `changes` leaves it out."""
        self.verifier, challenge = pkce()
        self.state, self.nonce = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
        wanted = {
            "client_id": self.client_id, "response_type": "code", "redirect_uri": self.redirect_uri,
            "scope": self.scope, "state": self.state, "nonce": self.nonce,
            "code_challenge": challenge, "code_challenge_method": "S256", **changes,
        }  # fmt: skip
        return {name: value for name, value in wanted.items() if value}

    def authorize(self, browser: Browser, **changes: str) -> Answer:
        """Send the browser to the authorization endpoint; the page that is due, or the way back."""
        address = self.metadata["authorization_endpoint"]
        return browser.get(f"{address}?{urlencode(self.request(**changes))}")

    def returned(self, answer: Answer) -> dict[str, str]:
        """The parameters with which the browser comes back. Raises Unexpected unless `state` and `iss` are ours."""
        location = answer.header("Location")
        if answer.status not in (302, 303) or not location.startswith(f"{self.redirect_uri}?"):
            raise answer.unexpected(f"where the way back to {self.client_id} is due")
        found = dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))
        if found.get("state") != self.state or found.get("iss") != self.issuer:
            raise Unexpected(f"{answer} with another state or iss than those of the request.")
        return found

    def code(self, answer: Answer) -> str:
        """The code that came back. Raises Unexpected."""
        found = self.returned(answer)
        if "code" not in found:
            raise Unexpected(
                f"{answer} with {found.get('error', 'neither code nor error')} instead of a code."
            )
        return found["code"]

    def login(self, browser: Browser, username: str, password: str, **changes: str) -> str:
        """The whole way through the pages; the code. Raises Unexpected."""
        page = self.authorize(browser, **changes)
        if "login-form" in forms(page):
            page = browser.submit(page, "login-form", "login-submit", username=username, password=password)
        if "consent-form" in forms(page):
            page = browser.submit(page, "consent-form", "consent-allow")
        return self.code(page)

    def sign_in(self, browser: Browser, username: str, password: str, **changes: str) -> dict[str, Any]:
        """The tokens of a person who signs in. Raises Unexpected."""
        return self.redeem(self.login(browser, username, password, **changes)).json()

    def redeem(self, code: str, **changes: str) -> Answer:
        """What the token endpoint says to a code."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier, **changes,
        }  # fmt: skip
        return self.post("token_endpoint", form)

    def redeem_bound(self, code: str, key: ECKey) -> Answer:
        """What the token endpoint says to a code whose tokens are to be bound to `key` (RFC 9449 §5)."""
        proof = dpop_proof(key, "POST", self.metadata["token_endpoint"])
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }  # fmt: skip
        return self.post("token_endpoint", form, {"DPoP": proof})

    def refresh(self, token: str, **changes: str) -> Answer:
        """What the token endpoint says to a refresh token."""
        return self.post("token_endpoint", {"grant_type": "refresh_token", "refresh_token": token, **changes})

    def client_credentials(self, scope: str = "", **changes: str) -> Answer:
        """What the token endpoint says to the client itself."""
        form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {}), **changes}
        return self.post("token_endpoint", form)

    def push(self, request: Mapping[str, str]) -> Answer:
        """What the endpoint for pushed authorization requests says to one (RFC 9126 §2)."""
        return self.post("pushed_authorization_request_endpoint", request)

    def device(self, scope: str) -> Answer:
        """What the device authorization endpoint says (RFC 8628 §3.1)."""
        return self.post("device_authorization_endpoint", {"scope": scope})

    def ask_for(self, sign_in_name: str) -> Answer:
        """What the backchannel authentication endpoint says (CIBA Core §7.1)."""
        form = {"scope": "openid", "login_hint": sign_in_name}
        return self.post("backchannel_authentication_endpoint", form)

    def register(self, token: str) -> Answer:
        """What the registration endpoint says to an application that registers itself (RFC 7591 §3.1)."""
        body = json.dumps({"redirect_uris": [self.redirect_uri], "scope": "openid"}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.net.ask("POST", self.metadata["registration_endpoint"], headers, body)

    def userinfo(self, token: str) -> Answer:
        """What userinfo says to an access token."""
        return self.net.get(self.metadata["userinfo_endpoint"], {"Authorization": f"Bearer {token}"})

    def introspect(self, token: str, **changes: str) -> Answer:
        """What introspection says of a token."""
        return self.post("introspection_endpoint", {"token": token, **changes})

    def revoke(self, token: str, **changes: str) -> Answer:
        """What revocation says of a token."""
        return self.post("revocation_endpoint", {"token": token, **changes})

    def logout(self, browser: Browser, id_token: str, **parameters: str) -> Answer:
        """Sign the person out, confirming the question; the last page, or the way back. Raises Unexpected."""
        address = self.metadata["end_session_endpoint"]
        page = browser.get(f"{address}?{urlencode({'id_token_hint': id_token, **parameters})}")
        return browser.submit(page, "logout-form", "logout-confirm")

    def post(self, endpoint: str, form: Mapping[str, str], beside: Mapping[str, str] | None = None) -> Answer:
        """Post to an endpoint of discovery, authenticated in the client's way, with headers `beside` it."""
        more, headers = self.authentication()
        return self.net.post(self.metadata[endpoint], {**form, **more}, {**headers, **(beside or {})})

    def authentication(self) -> tuple[dict[str, str], dict[str, str]]:
        """The client's credentials as a part of a form and as headers."""
        if self.method == "private_key_jwt" and self.key is not None:
            made = assertion(self.client_id, self.issuer, self.key)
            return {"client_assertion": made, "client_assertion_type": ASSERTION_TYPE}, {}
        if self.method == "client_secret_basic" and self.secret is not None:
            return {}, basic(self.client_id, self.secret)
        secret = {} if self.secret is None else {"client_secret": self.secret}
        return {"client_id": self.client_id, **secret}, {}


def discovery(net: Net, issuer: str) -> dict[str, Any]:
    """The discovery document of an issuer. Raises Unexpected where it is none of its own (Discovery 1.0 §4.3)."""
    answer = net.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    document = answer.json()
    if document.get("issuer") != issuer:
        raise Unexpected(
            f"{answer} with the document of another issuer, {str(document.get('issuer'))[:200]}."
        )
    return document
