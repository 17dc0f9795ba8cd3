"""Access tokens: JWTs by RFC 9068, and what makes one of ours good or dead when it comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from idp import clock, directory, registration
from idp.accounts import sessions
from idp.errors import InvalidToken
from idp.ids import b64, unb64, unique
from idp.oauth.scopes import Target
from idp.signing import jwt
from idp.store.database import transaction
from idp.store.durable import grants, users
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant
from idp.store.durable.users import User
from idp.tenants import current

TYPES = ("at+jwt", "JWT")
"""Header types of access tokens: RFC 9068 §2.1, and JWT for services that refuse it."""

_OF_GRANT, _OF_CLIENT = "u", "c"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A good access token: its claims, its client, and for a person's token the person and the grant."""

    claims: dict[str, Any]
    client: Client
    user: User | None
    grant: Grant | None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes it carries."""
        return tuple(str(self.claims.get("scope", "")).split())

    @property
    def audience(self) -> tuple[str, ...]:
        """Whom it is for."""
        aud = self.claims["aud"]
        return (aud,) if isinstance(aud, str) else tuple(aud)


def make(
    client: Client,
    scopes: tuple[str, ...],
    target: Target,
    *,
    subject: str,
    grant: Grant | None,
    extra: Mapping[str, Any],
) -> tuple[str, int]:
    """A signed access token and its lifetime in seconds. `extra`: claims that rules made; they never win."""
    tenant, now = current(), clock.epoch()
    lifetime = registration.effective(client, "access_token_lifetime")
    if target.lifetime is not None:
        lifetime = min(target.lifetime, lifetime)
    claims: dict[str, Any] = {
        **extra,
        "iss": tenant.issuer,
        "sub": subject,
        "aud": target.audience[0] if len(target.audience) == 1 else list(target.audience),
        "exp": now + lifetime,
        "iat": now,
        "jti": _jti(client, grant),
        "client_id": client.client_id,
        "scope": " ".join(scopes),
        "tenant": tenant.slug,
        "tenant_id": str(tenant.id),
    }
    if grant is not None:
        claims["auth_time"] = int(grant.auth_time.timestamp())
        claims["acr"] = grant.acr
        claims["amr"] = list(grant.amr)
    return jwt.sign(claims, alg=target.alg, typ=target.typ), lifetime


def _jti(client: Client, grant: Grant | None) -> str:
    """What a token names: its grant, or its client's row, so that neither revives under the same name."""
    kind, origin = (_OF_CLIENT, client.id) if grant is None else (_OF_GRANT, grant.id)
    return f"{kind}.{b64(origin.bytes)}.{unique()}"


def _origin(jti: object) -> tuple[str, UUID]:
    """The kind and the id of what a `jti` of ours names. Raises InvalidToken."""
    parts = jti.split(".") if isinstance(jti, str) else []
    try:
        if len(parts) == 3 and parts[0] in (_OF_GRANT, _OF_CLIENT):
            return parts[0], UUID(bytes=unb64(parts[1]))
    except ValueError:
        pass
    raise InvalidToken(rule="access_token.jti")


def read(token: str) -> AccessToken:
    """The access token behind `token`, alive here and now. Raises InvalidToken, Unavailable.

    An ID token is refused although its type may be the same: it names no client_id and no grant.
    """
    claims = jwt.verify(token, typ=TYPES, audience=None)
    client_id = claims.get("client_id")
    kind, origin = _origin(claims.get("jti"))
    client = directory.client(client_id) if isinstance(client_id, str) else None
    if client is None or not client.active:
        raise InvalidToken(rule="access_token.client", got="unknown or disabled")
    with transaction(readonly=True):
        if grants.token_revoked(str(claims["jti"])):
            raise InvalidToken(rule="access_token.revoked")
        if kind == _OF_CLIENT:
            if origin != client.id:
                raise InvalidToken(rule="access_token.client", got="another client of that client_id")
            return AccessToken(claims, client, None, None)
        grant = grants.by_id(origin)
        user = users.by_id(grant.user_id) if grant is not None else None
        if grant is None or user is None or not alive(grant, user) or grant.client_id != client.id:
            raise InvalidToken(rule="access_token.grant", got="ended")
        return AccessToken(claims, client, user, grant)


def alive(grant: Grant, user: User) -> bool:
    """Whether a grant still stands: not revoked, not too old, its person active, its session too."""
    if grant.revoked_at is not None or clock.now() >= grant.expires_at or not user.active:
        return False
    if user.not_before is not None and grant.auth_time < user.not_before:
        return False
    if grant.offline:
        return True
    return grant.session_id is not None and sessions.alive(grant.session_id) is not None
