"""jwt-bearer (RFC 7523 §2.1): an issuer that the tenant trusts says who somebody is; a client brings it for a token.

The tenant's policy names the issuers with their keys, and an operator the clients that may bring what each says. Who
the subject is, is known from an identity that was linked here before; nobody is made by it. An assertion is for us,
fresh and used once; one that is made for a client (`oauth-id-jag+jwt`, the identity assertion authorization grant) is
that client's alone and bounds scope and resource. What comes of it is one access token: no session, nothing to refresh.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid5

from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin

from idp import audit, clock, registration, throttle
from idp.audit import Actor, Event
from idp.errors import InvalidGrant, InvalidRequest, InvalidScope, InvalidToken, UnauthorizedClient
from idp.ids import digest, uuid7
from idp.oauth import client_auth, client_keys, issue, scopes
from idp.oauth.request import ProtocolRequest
from idp.registration import JWT_BEARER, fapi
from idp.signing import jwt, parts
from idp.signing.foreign import FOREIGN, Foreign
from idp.store.database import Kept, again, transaction
from idp.store.durable import grants, identities, marks, users
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant
from idp.tenants import current

ID_JAG = "oauth-id-jag+jwt"
"""draft-ietf-oauth-identity-assertion-authz-grant section 3."""
TYPES = (None, "JWT", ID_JAG)
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
MARK = "identity_assertion"
LIFETIME = 600
"""Seconds from now that `exp` may lie ahead, and that `iat` may lie behind."""
_LONGEST = 16_384
_PERSONAL = ("openid", "offline_access")


class JwtBearer(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """Authlib's frame of a grant; its own class takes any audience where none is set."""

    GRANT_TYPE = JWT_BEARER
    request: ProtocolRequest

    def validate_token_request(self) -> None:
        """Authenticate, and judge the assertion by itself. Raises Refusal."""
        client = client_auth.authenticate(self.request, public=False)
        if self.GRANT_TYPE not in client.grant_types:
            raise UnauthorizedClient(
                rule="client.grant_types", got=self.GRANT_TYPE, setting="client.grant_types"
            )
        throttle.budget("tokens")
        assertion = self.request.form.get("assertion", "")
        if not 0 < len(assertion) <= _LONGEST:
            raise InvalidRequest("assertion is missing or too long.", rule="assertion.present")
        self.claims = _verified(assertion, client)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Find the person and mint in one transaction. Raises Refusal."""
        return 200, _minted(self.request, self.claims), []


def _no(rule: str, got: object, expected: object = None, setting: str | None = None) -> InvalidGrant:
    return InvalidGrant(
        "The assertion is invalid, or of nobody who is known here.",
        rule=f"assertion.{rule}", expected=expected, got=got, setting=setting,
    )  # fmt: skip


def _verified(assertion: str, client: Client) -> dict[str, Any]:
    """Its claims: of an issuer that tenant and client trust, for us, now. Raises InvalidGrant, Busy."""
    trusted = dict(each.split(" ", 1) for each in current().policy.assertion_issuers)
    try:
        _, payload, _, _ = parts.split(assertion)
        said = parts.json_object(payload, "token.payload")
        parts.check_texts(said)
        issuer = str(said.get("iss", ""))
        if issuer not in trusted or issuer not in client.setting("assertion_issuers"):
            raise _no(
                "issuer", issuer[:512], sorted(trusted), "policy.assertion_issuers, client.assertion_issuers"
            )
        owner = uuid5(current().id, f"assertions {issuer}")
        keys = client_keys.served(owner, trusted[issuer], parts.kid(assertion), vouched=True)
        now, algorithms = clock.epoch(), fapi.ALGORITHMS if fapi.of(client) else ALGORITHMS
        seen = Foreign(
            assertion, keys, algorithms, TYPES, issuer, None, set(current().issuers), LIFETIME, now
        )  # fmt: skip
        FOREIGN.hold(seen)
    except InvalidToken as refusal:
        raise _no("token", f"{refusal.rule}: {refusal.got}", refusal.expected) from None
    claims, made = seen.claims, seen.claims.get("iat")
    for name in ("sub", "jti"):
        if not isinstance(claims.get(name), str) or not 0 < len(claims[name]) <= 512:
            raise _no(name, claims.get(name), "a text")
    if not isinstance(made, int) or isinstance(made, bool) or made < now - LIFETIME - jwt.SKEW:
        raise _no("iat", made, f"at most {LIFETIME} s ago")
    if str(seen.header.get("typ", "")).lower() == ID_JAG and claims.get("client_id") != client.client_id:
        raise _no("client_id", claims.get("client_id"), client.client_id)
    return claims


@again
def _minted(request: ProtocolRequest, claims: dict[str, Any]) -> dict[str, Any]:
    client: Client = request.client
    actor = Actor("client", client.client_id, request.address)
    with transaction():
        identity = identities.find(claims["iss"], claims["sub"])
        if identity is None:
            raise _no("subject", "nobody", "an identity that was linked here")
        granted, resources = _scopes(request, client, claims)
        grant = _grant(client, identity.user_id, claims, granted, resources, request)
        person = issue.check(client, users.held(identity.user_id), grant, binding=request.binding)
        if not grants.client_stands(client.id):
            raise InvalidGrant(rule="mint.client", got="disabled")
        # The mark outlives the assertion by the skew that is granted to its expiry.
        until = clock.from_instant(int(claims["exp"]) + jwt.SKEW)
        if not marks.leave(MARK, digest(f"{claims['iss']} {claims['jti']}"), until):
            audit.record(Event.ASSERTION_REPLAYED, actor, assertion_id=claims["jti"][:256])
            raise Kept(_no("jti", "used before", "an assertion that is used once"))
        if not grants.add(grant):
            raise AssertionError("an id of our own is new")
        body = issue.mint(
            issue.Order(
                JWT_BEARER, client, granted, resources, person, grant, binding=request.binding, id_token=False
            )
        )
        audit.record(
            Event.TOKEN_ASSERTED, actor, grant_id=grant.id, user_id=grant.user_id, issuer=claims["iss"],
            scopes=list(granted),
        )  # fmt: skip
    return body


def _scopes(
    request: ProtocolRequest, client: Client, claims: dict[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is granted: asked for, within what the assertion allows, and the client's. Raises InvalidScope."""
    bound = claims.get("scope")
    most = scopes.split(bound) if isinstance(bound, str) else None
    asked = scopes.split(request.form.get("scope")) or (most or ())
    beyond = [s for s in asked if s in _PERSONAL or (most is not None and s not in most)]
    if beyond:
        raise InvalidScope(rule="assertion.scope", expected=most, got=beyond)
    allowed = _allowed_resources(claims)
    wanted = request.resources or allowed
    if allowed and not set(wanted) <= set(allowed):
        raise _no("resource", list(wanted), list(allowed))
    resources = scopes.resources(client, wanted)
    granted = scopes.within(client, scopes.grantable(client, asked), resources)
    if not granted:
        raise InvalidScope("There is no scope to grant.", rule="assertion.left", got=list(asked))
    return granted, resources


def _allowed_resources(claims: dict[str, Any]) -> tuple[str, ...]:
    """The resources to which the assertion bounds its token; none where it says nothing of them."""
    if "resource" not in claims:
        return ()
    named = claims["resource"]
    several = named if isinstance(named, list) else [named]
    if not several or not all(isinstance(each, str) for each in several):
        raise _no("resource", named, "one text or several")
    return tuple(several)


def _grant(
    client: Client,
    user_id: Any,
    claims: dict[str, Any],
    granted: tuple[str, ...],
    resources: tuple[str, ...],
    request: ProtocolRequest,
) -> Grant:
    """What it becomes, for as long as its one token lives."""
    now, made = clock.now(), uuid7()
    lasting = timedelta(seconds=registration.effective(client, "access_token_lifetime"))
    return Grant(
        id=made,
        code_digest=digest(f"asserted {made}"),
        user_id=user_id,
        client_id=client.id,
        session_id=None,
        scopes=granted,
        resources=resources,
        claims={},
        acr="0",
        amr=(),
        auth_time=clock.from_instant(min(int(claims["iat"]), int(now.timestamp()))),
        offline=True,
        created_at=now,
        expires_at=now + lasting,
        cnf=None if request.binding is None else request.binding.cnf,
    )
