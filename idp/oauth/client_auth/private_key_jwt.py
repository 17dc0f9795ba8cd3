"""private_key_jwt (OpenID Connect Core 1.0 §9, RFC 7523 §2.2 and §3): a signed assertion, used once.

Its audience is the issuer; the token endpoint's address is one for a client that an operator allowed it
(`assertion_for_token_endpoint`), or for all of a tenant whose policy says so, because an assertion so addressed can be
passed on by another server (draft-ietf-oauth-rfc7523bis). Its `jti` is marked in Postgres, atomically, so that of two
equal assertions one is refused whichever process reads it.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid5

from idp import audit, clock
from idp.audit import Actor, Event
from idp.errors import InvalidToken
from idp.ids import digest, unb64
from idp.oauth import client_keys
from idp.oauth.request import ProtocolRequest
from idp.registration import fapi
from idp.signing import jwt, parts
from idp.signing.checks import Check, Table, no
from idp.signing.foreign import FOREIGN, Foreign
from idp.store.database import again, transaction
from idp.store.durable import marks
from idp.store.durable.clients import Client
from idp.tenants import current

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
SPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
"""draft-ietf-oauth-spiffe-client-auth: what proves a workload, as TYPE does."""
WORKLOAD_LIFETIME = 86_400
"""Seconds that a workload's token may live: whoever runs it makes it anew, and uses each many times."""
TYPES = (None, "JWT", "client-authentication+jwt")
"""Header types of an assertion: the explicit one of draft-ietf-oauth-rfc7523bis, and those before it."""
MARK = "client_assertion"
_LONGEST = 8_192
_LONGEST_JTI = 256


def claimed_client(assertion: str) -> str:
    """The `sub` of an assertion, not yet verified, or "" when it cannot be read."""
    if len(assertion) > _LONGEST or assertion.count(".") != 2:
        return ""
    try:
        payload = json.loads(unb64(assertion.split(".")[1]))
    except (ValueError, RecursionError):
        return ""
    subject = payload.get("sub") if isinstance(payload, dict) else None
    return subject if isinstance(subject, str) and subject.isprintable() else ""


def presented(token: str, client: Client) -> Foreign:
    """An assertion as it is to be checked for a client of the entered tenant: by whose keys, for whom."""
    pinned = client.metadata.get("token_endpoint_auth_signing_alg")
    workload = client.setting("workload_identity")
    if workload is not None:
        return _of_workload(token, client, workload)
    audience, strict = {current().issuer}, fapi.of(client)
    lax = client.setting("assertion_for_token_endpoint") or current().policy.assertion_for_token_endpoint
    if lax and not strict:
        audience.add(f"{current().issuer}/token")
    return replace(
        unknown(token),
        jwks=client_keys.of(client, parts.kid(token)),
        algs=[alg for alg in ((pinned,) if pinned else ALGORITHMS) if not strict or alg in fapi.ALGORITHMS],
        issuer=client.client_id,
        subject=client.client_id,
        audience=audience,
    )


def _of_workload(token: str, client: Client, workload: Mapping[str, str]) -> Foreign:
    """What the platform that runs the client says of it: a projected token of Kubernetes, or a JWT-SVID."""
    issuer, strict = workload["issuer"], fapi.of(client)
    return replace(
        unknown(token),
        jwks=client_keys.served(
            uuid5(client.id, issuer), workload["jwks_uri"], parts.kid(token), vouched=True
        ),
        algs=[alg for alg in ALGORITHMS if not strict or alg in fapi.ALGORITHMS],
        issuer=issuer,
        subject=workload["subject"],
        audience={current().issuer},
        lifetime=WORKLOAD_LIFETIME,
    )


def unknown(token: str) -> Foreign:
    """The same for a client that is not known: no key fits."""
    return Foreign(token, {}, ALGORITHMS, TYPES, None, None, None, jwt.ASSERTION_LIFETIME, clock.epoch())


def _jti(claims: Mapping[str, Any]) -> None:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
        raise no("assertion.jti", expected=f"a string of 1 to {_LONGEST_JTI} characters", got=jti)


NAMED = Table[Mapping[str, Any]](Check("jti", _jti))
"""What an assertion needs beyond a good JWT."""


def read(token: str, client: Client) -> dict[str, Any]:
    """The claims of an assertion of `client`, whether or not it was used. Raises InvalidToken."""
    seen = presented(token, client)
    FOREIGN.hold(seen)
    if client.setting("workload_identity") is None:
        NAMED.hold(seen.claims)
    if fapi.of(client) and not isinstance(seen.claims["aud"], str):
        raise no(
            "assertion.aud", expected="the issuer as a string (FAPI 2.0 §5.3.2.1)", got=seen.claims["aud"]
        )
    return seen.claims


def assertion(request: ProtocolRequest, client: Client | None) -> bool:
    """Whether the request's assertion is the client's, meant for us, fresh, and seen for the first time."""
    workload = client is not None and client.setting("workload_identity") is not None
    kinds = (TYPE, SPIFFE) if workload else (TYPE,)
    if client is None or request.form.get("client_assertion_type") not in kinds:
        return False
    try:
        claims = read(request.form.get("client_assertion", ""), client)
    except InvalidToken:
        return False
    # A workload has one token at a time and shows it as often as it needs to: it is no assertion for one use.
    return True if workload else _first_use(claims, client, request)


@again
def _first_use(claims: dict[str, Any], client: Client, request: ProtocolRequest) -> bool:
    # The mark outlives the assertion by the skew that is granted to its expiry.
    expires = clock.from_instant(int(claims["exp"]) + jwt.SKEW)
    with transaction():
        first = marks.leave(MARK, mark_of(client, claims), expires)
        if not first:
            # Each needs a signature of the client's, and stops with the throttle of its failures.
            actor = Actor("client", client.client_id, request.address)
            audit.record(Event.ASSERTION_REPLAYED, actor, assertion_id=claims["jti"])
    return first


def mark_of(client: Client, claims: Mapping[str, Any]) -> bytes:
    """Under what an assertion is marked as used."""
    return digest(f"{client.id}:{claims['jti']}")


def used(client: Client, claims: Mapping[str, Any]) -> bool:
    """Whether an assertion was used before; it is not marked by this."""
    return marks.left(MARK, mark_of(client, claims))
