"""Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4): this person's session is over; for one client alone."""

from typing import Any

from idp import clock, ids
from idp.oauth import encryption
from idp.registration import fapi
from idp.signing import jwt
from idp.store.durable.clients import Client
from idp.tenants import current

TYPE = "logout+jwt"
"""The header type (§2.4), by which it can never pass for an ID token."""
LIFETIME = 120
"""Seconds; §2.4 advises no more than two minutes."""
EVENT = "http://schemas.openid.net/event/backchannel-logout"


def make(client: Client, *, subject: str, sid: str, issuer: str) -> str:
    """A signed logout token, with the algorithm of the client's ID tokens, and encrypted like them (§2.4, §2.6).

    Each has a `jti` of its own, also when the same notice is sent again: a client that remembers them (§2.6, step 8)
    must not take the second try for a replay of the first, whose answer was lost.
    """
    now = clock.epoch()
    registered = client.metadata.get("id_token_signed_response_alg")
    alg = fapi.alg(client, registered, current().policy.id_token_signing_alg)
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "aud": client.client_id,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": ids.unique(),
        "events": {EVENT: {}},
        "sid": sid,
    }
    signed = jwt.sign(claims, alg=alg, typ=TYPE)
    return encryption.sealed(client, encryption.ID_TOKEN, signed, nested=True)
