"""ID tokens (OpenID Connect Core 1.0 §2): who signed in, when and how; for the client alone."""

from collections.abc import Mapping
from typing import Any

from idp import clock, registration
from idp.accounts import subjects
from idp.oauth import encryption
from idp.registration import fapi
from idp.signing import jwe, jwt
from idp.signing.checks import Check, Table, no
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant
from idp.tenants import current


def make(
    client: Client,
    grant: Grant,
    *,
    access_token: str | None,
    code: str | None,
    nonce: str | None,
    sid: str | None,
    extra: Mapping[str, Any],
) -> str:
    """A signed ID token, encrypted where the client wants that.

    `aud` is the client_id as a string; `extra` never overwrites what the protocol says.
    `access_token`, `code`: what is given beside it, whose half hashes it carries (§3.1.3.6, §3.3.2.11).
    `sid`: what this client knows the session by, None for one that has no use for it.
    """
    tenant, now = current(), clock.epoch()
    registered = client.metadata.get("id_token_signed_response_alg")
    alg = fapi.alg(client, registered, tenant.policy.id_token_signing_alg)
    lifetime = registration.effective(client, "id_token_lifetime")
    claims: dict[str, Any] = {
        **extra,
        "iss": tenant.issuer,
        "sub": subjects.of(client, grant.user_id),
        "aud": client.client_id,
        "exp": now + lifetime,
        "iat": now,
        "auth_time": int(grant.auth_time.timestamp()),
        "acr": grant.acr,
        "amr": list(grant.amr),
    }
    for name, value in (("at_hash", access_token), ("c_hash", code)):
        if value is not None:
            claims[name] = jwt.half_hash(value, alg)
    if nonce is not None:
        claims["nonce"] = nonce
    if sid is not None:
        claims["sid"] = sid
    if tenant.policy.tenant_claims_in_id_token or client.platform_issuer:
        claims["tenant"] = tenant.slug
        claims["tenant_id"] = str(tenant.id)
    signed = jwt.sign(claims, alg=alg, typ="JWT")
    return encryption.sealed(client, encryption.ID_TOKEN, signed, nested=True)


TYPES = ("JWT",)
"""The header type of an ID token."""


def _kind(claims: Mapping[str, Any]) -> None:
    if "client_id" in claims:
        raise no("id_token.kind", expected="an ID token", got="an access token")


ONLY = Table[Mapping[str, Any]](Check("kind", _kind))
"""What makes a good JWT of ours an ID token."""


def read(token: str, *, audience: str | None = None, expired_is_fine: bool) -> dict[str, Any]:
    """The claims of an ID token of the entered tenant. Raises InvalidToken.

    `audience`: the client for which it must be; `expired_is_fine`: for a hint, which may be older.
    """
    if jwe.encrypted(token):
        token = jwe.decrypt(token)  # a hint that its client has encrypted for us (§3.1.2.1)
    claims = jwt.verify(token, typ=TYPES, audience=audience, expired_is_fine=expired_is_fine)
    ONLY.hold(claims)
    return claims
