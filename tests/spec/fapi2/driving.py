"""A client of the FAPI 2.0 Security Profile as its own program would act: PAR, private_key_jwt, DPoP."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt as pyjwt

from idp import ids
from idp.tenants import Tenant
from tests.attacks.acting import client
from tests.attacks.assertions import TYPE
from tests.playing import RelyingParty, Visit
from tests.spec.rfc9449.proving import Key, Prover

CALLBACK = "https://rp.example/test/callback"
DUMMIES = f"{CALLBACK}?dummy1=lorem&dummy2=ipsum"


@dataclass
class Fapi:
    """One client."""

    app: Any
    tenant: Tenant
    client_id: str
    redirect_uri: str = CALLBACK
    signs: Key = field(default_factory=Key)
    """The key of its assertions and request objects."""
    holds: Key = field(default_factory=Key)
    """The key of its proofs."""
    messages: bool = False
    """Whether it signs its requests."""

    def __post_init__(self) -> None:
        self.rp = RelyingParty(self.app, self.tenant, self.client_id, None, self.redirect_uri, "none",
                               extra={"scope": "openid profile offline_access"})  # fmt: skip

    def registered(self, **more: Any) -> "Fapi":
        """The same, known to its tenant."""
        fields = {
            "profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "redirect_uris": [CALLBACK, DUMMIES],
            "jwks": {"keys": [{**self.signs.jwk, "kid": "k", "use": "sig"}]}, "require_consent": False,
            "require_signed_request_object": self.messages, "scope": "openid profile email offline_access", **more,
        }  # fmt: skip
        client(self.tenant, self.client_id, **fields)
        return self

    def assertion(self, headers: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
        """A client assertion whose audience is the issuer as a string; `...` leaves a claim out."""
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.tenant.issuer, "jti": ids.secret(),
                  "iat": now, "exp": now + 60, **changes}  # fmt: skip
        kept = json.dumps({name: value for name, value in claims.items() if value is not ...}).encode()
        signing = key or self.signs
        return pyjwt.api_jws.encode(
            kept, signing.private, algorithm=signing.alg, headers={"kid": "k", **(headers or {})}
        )

    def post(
        self, endpoint: str, form: dict[str, str], *, assertion: str | None = None, proof: str | None = ""
    ) -> Any:
        """Post with an assertion and a proof; `proof`: None for none."""
        sent = {"client_assertion_type": TYPE, "client_assertion": assertion or self.assertion(), **form}
        headers = {} if proof is None else {"DPoP": proof or self.holds.proof(self.at(endpoint))}
        return self.app.test_client().post(f"/t/{self.tenant.slug}/{endpoint}", data=sent, headers=headers)

    def at(self, endpoint: str) -> str:
        return f"{self.tenant.issuer}/{endpoint}"

    def request(self, **changes: str | None) -> dict[str, str]:
        return self.rp.request(**changes)

    def signed(self, key: Any = None, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A request object (FAPI 2.0 Message Signing §5.3.1)."""
        now = int(time.time())
        claims = {**self.request(), "iss": self.client_id, "aud": self.tenant.issuer, "iat": now, "nbf": now,
                  "exp": now + 60, **changes}  # fmt: skip
        kept = json.dumps({name: value for name, value in claims.items() if value is not ...}).encode()
        signing = key or self.signs
        head = {"kid": "k", "typ": "oauth-authz-req+jwt", **(headers or {})}
        head = {name: value for name, value in head.items() if value is not None}
        return pyjwt.api_jws.encode(kept, signing.private, algorithm=signing.alg, headers=head)

    def push(self, *, assertion: str | None = None, proof: str | None = "", **changes: str | None) -> Any:
        """The answer of PAR."""
        form = {"request": self.signed(**_kept(changes))} if self.messages else self.request(**changes)
        return self.post("par", form, assertion=assertion, proof=proof)

    def name(self, **changes: Any) -> str:
        """A request_uri."""
        answer = self.push(**changes)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return str(answer.get_json()["request_uri"])

    def browse(self, name: str, browser: Any = None, **beside: str) -> Visit:
        """Where a browser comes with a request_uri."""
        browser = browser or self.rp.browser()
        query = urlencode({"client_id": self.client_id, "request_uri": name, **beside})
        return Visit(self.rp, browser, browser.get(f"/t/{self.tenant.slug}/authorize?{query}")).follow()

    def login(self, **changes: Any) -> Visit:
        return self.browse(self.name(**changes)).login("alice")

    def redeem(
        self, code: str, *, assertion: str | None = None, proof: str | None = "", **changes: str
    ) -> Any:
        """The answer of the token endpoint to a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
                "code_verifier": self.rp.verifier, **changes}  # fmt: skip
        return self.post("token", {n: v for n, v in form.items() if v}, assertion=assertion, proof=proof)

    def tokens(self, **changes: Any) -> dict[str, Any]:
        answer = self.redeem(self.login(**changes).code)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def refresh(self, token: str, **options: Any) -> Any:
        return self.post("token", {"grant_type": "refresh_token", "refresh_token": token}, **options)

    @property
    def resource(self) -> Prover:
        """The client at userinfo."""
        return Prover(self.rp, self.holds)


def _kept(changes: dict[str, str | None]) -> dict[str, Any]:
    return {name: ... if value is None else value for name, value in changes.items()}
