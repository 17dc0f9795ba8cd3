"""Authlib's client on requests: what most programs in Python have."""

from contextlib import nullcontext
from typing import Any

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6749.errors import MismatchingStateException
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet, import_key

from idp.tenants import Tenant
from tests.peers.clients import CALLBACK, SCOPE, registered_key, secret
from tests.peers.person import Person


@pytest.fixture
def known(issuer: str) -> dict[str, Any]:
    """What discovery says."""
    return dict(requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json())


def session(client_id: str, method: str, **more: Any) -> OAuth2Session:
    """A client of blueprint.yaml."""
    given = {"client_secret": None if method == "none" else secret(client_id), **more}
    return OAuth2Session(
        client_id, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method,
        redirect_uri=CALLBACK, scope=SCOPE, code_challenge_method="S256", **given,
    )  # fmt: skip


def whole(client: OAuth2Session, known: dict[str, Any], person: Person) -> None:
    """Sign in, hold the ID token against the published keys, ask who it is, refresh, introspect, revoke."""
    verifier, nonce = "v" * 64, "n" * 32
    url, state = client.create_authorization_url(
        known["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    back = person.visit(url)["url"]
    token = client.fetch_token(
        known["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
    )
    claims = verified(token["id_token"], known, client.client_id, nonce)
    assert client.get(known["userinfo_endpoint"]).json()["sub"] == claims["sub"]
    fresh = client.refresh_token(known["token_endpoint"], refresh_token=token["refresh_token"])
    assert fresh["refresh_token"] != token["refresh_token"]
    if client.token_endpoint_auth_method != "none":
        told = client.introspect_token(known["introspection_endpoint"], token=fresh["access_token"]).json()
        assert (told["active"], told["sub"]) == (True, claims["sub"])
    assert client.revoke_token(known["revocation_endpoint"], token=fresh["refresh_token"]).status_code == 200
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token(known["token_endpoint"], refresh_token=fresh["refresh_token"])


def verified(id_token: str, known: dict[str, Any], client_id: str, nonce: str) -> CodeIDToken:
    """The claims of an ID token, by Authlib's own rules (OpenID Connect Core section 3.1.3.7)."""
    keys = KeySet.import_key_set(requests.get(known["jwks_uri"], timeout=10).json())
    found = jwt.decode(id_token, keys, algorithms=known["id_token_signing_alg_values_supported"])
    asked = {"iss": {"values": [known["issuer"]]}}
    claims = CodeIDToken(found.claims, found.header, asked, {"nonce": nonce, "client_id": client_id})
    claims.validate()
    return claims


@pytest.mark.parametrize(
    ("client_id", "method"),
    [("basic", "client_secret_basic"), ("post", "client_secret_post"), ("public", "none")],
)
def test_code_with_pkce_refresh_and_revocation(
    known: dict[str, Any], person: Person, client_id: str, method: str
) -> None:
    whole(session(client_id, method), known, person)


class Short(PrivateKeyJWT):
    """Assertions that live for a minute; Authlib's own live for an hour."""

    def sign(self, auth: OAuth2Session, token_endpoint: str) -> str:
        """An assertion, another one each time."""
        return str(
            private_key_jwt_sign(
                auth.client_secret,
                auth.client_id,
                token_endpoint,
                self.alg,
                header=self.headers,
                expires_in=60,
            )
        )


def test_private_key_jwt(known: dict[str, Any], person: Person, tenant: Tenant) -> None:
    """RFC 7523 section 3 lets a server refuse what lives for too long: five minutes are the most here."""
    jwk = registered_key(tenant, "keys")
    for kind, works in ((Short, True), (PrivateKeyJWT, False)):
        client = session("keys", "private_key_jwt", client_secret=import_key(jwk))
        client.register_client_auth_method(kind(known["issuer"], headers={"kid": jwk["kid"]}, alg="ES256"))
        with nullcontext() if works else pytest.raises(OAuthError, match="invalid_client"):
            whole(client, known, person)


def test_client_credentials(known: dict[str, Any]) -> None:
    client = session("service", "client_secret_basic")
    token = client.fetch_token(known["token_endpoint"], grant_type="client_credentials", scope="orders.read")
    assert token["scope"] == "orders.read"
    told = client.introspect_token(known["introspection_endpoint"], token=token["access_token"]).json()
    assert told["aud"] == "https://api.example.com"


def test_another_secret_and_another_state_are_refused(known: dict[str, Any], person: Person) -> None:
    client = session("basic", "client_secret_basic")
    url, state = client.create_authorization_url(known["authorization_endpoint"], code_verifier="v" * 64)
    told = {"authorization_response": person.visit(url)["url"], "code_verifier": "v" * 64}
    with pytest.raises(MismatchingStateException):
        client.fetch_token(known["token_endpoint"], state="another", **told)
    client.client_secret = "x" * 43
    with pytest.raises(OAuthError, match="invalid_client"):
        client.fetch_token(known["token_endpoint"], state=state, **told)
