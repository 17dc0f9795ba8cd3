"""A client of the FAPI-CIBA plan as its own program would act: signed requests, tokens that its certificate binds."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt as pyjwt

from idp import ids
from idp.registration import CIBA
from idp.tenants import Tenant
from tests.attacks.acting import client
from tests.attacks.assertions import TYPE
from tests.playing import RelyingParty
from tests.spec.rfc8705.certifying import PEER, Shown, certificate
from tests.spec.rfc9449.proving import Key

NOTIFICATION = "notification-token-of-the-suite-0123456789"


@dataclass(frozen=True)
class Variant:
    """`client_auth_type` and `ciba_mode` of the plan."""

    auth: str
    mode: str

    def __str__(self) -> str:
        return f"{self.auth}, {self.mode}"


VARIANTS = tuple(Variant(auth, mode) for auth in ("private_key_jwt", "mtls") for mode in ("poll", "ping"))


@dataclass
class Asker:
    """One client."""

    app: Any
    tenant: Tenant
    client_id: str
    variant: Variant
    notified: str = "http://localhost:9/ping"
    key: Key = field(default_factory=Key)
    shown: Shown = field(default_factory=certificate)

    def registered(self, **more: Any) -> "Asker":
        """The same, known to its tenant."""
        jwks: list[dict[str, Any]] = [{**self.key.jwk, "kid": "k", "use": "sig"}]
        method = "private_key_jwt"
        if self.variant.auth == "mtls":
            method = "self_signed_tls_client_auth"
            jwks.append({**Key(self.shown.key).jwk, "kid": "c", "x5c": [self.shown.der]})
        else:
            more = {"token_endpoint_auth_signing_alg": "ES256", "assertion_for_token_endpoint": True, **more}
        if self.variant.mode == "ping":
            more = {"backchannel_client_notification_endpoint": self.notified, **more}
        fields = {
            "grant_types": [CIBA, "refresh_token"], "redirect_uris": [], "token_endpoint_auth_method": method,
            "jwks": {"keys": jwks}, "tls_client_certificate_bound_access_tokens": True,
            "backchannel_authentication_request_signing_alg": "ES256", "id_token_signed_response_alg": "ES256",
            "backchannel_token_delivery_mode": self.variant.mode, "scope": "openid profile email offline_access",
            **more,
        }  # fmt: skip
        client(self.tenant, self.client_id, **fields)
        return self

    def at(self, endpoint: str) -> str:
        """The endpoint's address."""
        return f"{self.tenant.issuer}/{endpoint}"

    def assertion(self, key: Key | None = None, **changes: Any) -> str:
        """A client assertion whose audience is the token endpoint, as the suite sends it."""
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.at("token"), "jti": ids.secret(),
                  "iat": now, "exp": now + 60, **changes}  # fmt: skip
        return _jws(key or self.key, claims)

    def request(self, key: Key | None = None, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A signed request; `...` leaves a claim out."""
        now = int(time.time())
        claims = {
            "iss": self.client_id, "aud": self.tenant.issuer, "iat": now, "nbf": now, "exp": now + 300,
            "jti": ids.secret(), "scope": "openid profile", "login_hint": "foo", **changes,
        }  # fmt: skip
        if self.variant.mode == "ping":
            claims = {"client_notification_token": NOTIFICATION, **claims}
        return _jws(key or self.key, claims, headers)

    def post(
        self,
        endpoint: str,
        form: dict[str, str],
        *,
        shown: Shown | None = None,
        bare: bool = False,
        **more: str,
    ) -> Any:
        """Post as this client: its certificate, and an assertion where that is how it authenticates.

        `bare`: without a certificate; `shown`: with another one; `more` stands in place of what proves it.
        """
        proof = {"client_id": self.client_id}
        if self.variant.auth == "private_key_jwt":
            proof = {"client_assertion_type": TYPE, "client_assertion": self.assertion()}
        headers = {} if bare else (shown or self.shown).headers
        sent = {**form, **(more or proof)}
        return self.app.test_client().post(
            f"/t/{self.tenant.slug}/{endpoint}", data=sent, headers=headers, environ_base=PEER
        )

    def ask(self, request: str | None = None, **options: Any) -> Any:
        """The answer of the backchannel authentication endpoint."""
        return self.post("bc-authorize", {"request": request or self.request()}, **options)

    def begun(self, **changes: Any) -> str:
        """The auth_req_id of a request that waits."""
        answer = self.ask(self.request(**changes))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return str(answer.get_json()["auth_req_id"])

    def decide(self, handle: str, action: str = "allow") -> None:
        """What the suite's `automated_ciba_approval_url` is for."""
        path = f"/t/{self.tenant.slug}/test/ciba?auth_req_id={handle}&action={action}"
        assert self.app.test_client().post(path, data={"x": "y"}).status_code == 204

    def poll(self, handle: str, **options: Any) -> Any:
        """The answer of the token endpoint."""
        return self.post("token", {"grant_type": CIBA, "auth_req_id": handle}, **options)

    def tokens(self, **changes: Any) -> dict[str, Any]:
        """The tokens of a request that was allowed."""
        handle = self.begun(**changes)
        self.decide(handle)
        answer = self.poll(handle)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def resource(self, token: str, shown: Shown | None = None, *, bare: bool = False) -> Any:
        """The answer of userinfo."""
        headers = {"Authorization": f"Bearer {token}", **({} if bare else (shown or self.shown).headers)}
        return self.app.test_client().get(
            f"/t/{self.tenant.slug}/userinfo", headers=headers, environ_base=PEER
        )

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of an ID token that another library has checked."""
        rp = RelyingParty(self.app, self.tenant, self.client_id, None, "", "none")
        return dict(rp.verified(token, self.client_id))


def _jws(key: Key, claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
    kept = json.dumps({name: value for name, value in claims.items() if value is not ...}).encode()
    return pyjwt.api_jws.encode(
        kept,
        key.private,
        algorithm=key.alg,
        headers={"kid": "k", **(headers or {})},  # type: ignore[arg-type]
    )
