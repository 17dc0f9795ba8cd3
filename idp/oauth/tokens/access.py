"""Access tokens: JWTs by RFC 9068, and what makes one of ours good or dead when it comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from idp import clock, directory, registration
from idp.accounts import sessions
from idp.errors import InvalidToken
from idp.ids import b64, unb64, unique
from idp.oauth.binding import Binding
from idp.oauth.scopes import Target
from idp.registration import fapi
from idp.signing import jwt
from idp.signing.checks import Check, Table, no
from idp.store.database import transaction
from idp.store.durable import behind, grants, users
from idp.store.durable.behind import Behind
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
    binding: Binding | None,
    extra: Mapping[str, Any],
    most: int | None = None,
) -> tuple[str, int]:
    """A signed access token and its lifetime in seconds. `binding`: the key without which it is worth nothing.

    `extra`: claims that rules made; they never win. `most`: seconds that it lives at most.
    """
    tenant, now = current(), clock.epoch()
    lifetime = registration.effective(client, "access_token_lifetime")
    if target.lifetime is not None:
        lifetime = min(target.lifetime, lifetime)
    if most is not None:
        lifetime = min(most, lifetime)
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
    if binding is not None:
        claims["cnf"] = binding.cnf
    if grant is not None:
        claims["auth_time"] = int(grant.auth_time.timestamp())
        claims["acr"] = grant.acr
        claims["amr"] = list(grant.amr)
        if grant.act is not None:
            claims["act"] = grant.act
        elif client.setting("may_act") is not None:
            claims["may_act"] = {"sub": client.setting("may_act")}
    return jwt.sign(claims, alg=fapi.alg(client, None, target.alg), typ=target.typ), lifetime


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


def grant_of(jti: str) -> UUID | None:
    """The grant that a `jti` of ours names; None for a client's own token, and for what is none of ours."""
    try:
        kind, origin = _origin(jti)
    except InvalidToken:
        return None
    return origin if kind == _OF_GRANT else None


@dataclass(slots=True)
class Read:
    """An access token with a good signature, and what it names as far as the checks have found it."""

    claims: dict[str, Any]
    kind: str = ""
    origin: UUID | None = None
    client: Client | None = None
    grant: Grant | None = None
    user: User | None = None
    looked: Behind | None = None
    """What stands behind it, where that was looked up at once; else each check asks for its own."""


def _named_origin(read: Read) -> None:
    read.kind, read.origin = _origin(read.claims.get("jti"))


def _named_client(read: Read) -> None:
    client_id = read.claims.get("client_id")
    read.client = directory.client(client_id) if isinstance(client_id, str) else None
    if read.client is None or not read.client.active:
        raise no("access_token.client", expected="an active client", got="unknown or disabled")


def _not_revoked(read: Read) -> None:
    looked = read.looked
    if looked.revoked if looked is not None else grants.token_revoked(str(read.claims["jti"])):
        raise no("access_token.revoked", expected="a token that stands", got="revoked by itself")


def _standing(read: Read) -> None:
    """The grant, or for a client's own token the client's row, is there, the same client's, and not ended."""
    client_row = read.client.id if read.client is not None else None
    if read.kind == _OF_CLIENT:
        if read.origin != client_row:
            raise no("access_token.client", got="another client of that client_id")
        since = directory.not_before()
        if since is not None and int(read.claims["iat"]) < since.timestamp():
            raise no("access_token.not_before", expected=f"issued after {_told(since)}")
        return
    if read.looked is not None:
        grant = read.looked.grant
    else:
        grant = grants.by_id(read.origin) if read.origin is not None else None
    if grant is None or grant.client_id != client_row:
        raise no("access_token.grant", expected="a grant of the client", got="none")
    why = ended(grant)
    if why:
        raise no("access_token.grant", expected="a grant that stands", got=why)
    read.grant = grant


def _person(read: Read) -> None:
    if read.grant is not None:
        read.user = users.by_id(read.grant.user_id) if read.looked is None else read.looked.user
        why = barred(read.grant, read.user)
        if why:
            raise no("access_token.subject", expected="an active person", got=why)


def _session(read: Read) -> None:
    if read.grant is not None and not _in_session(read, read.grant):
        raise no("access_token.session", expected="a session that goes on", got="ended")


def _in_session(read: Read, grant: Grant) -> bool:
    if read.looked is None:
        return in_session(grant)
    session = read.looked.session
    return grant.offline or (session is not None and sessions.within_age(session))


NAMED = Table[Read](Check("jti", _named_origin), Check("client", _named_client))
"""What needs no database in the request; the checks of `signing.own` come before."""
ALIVE = Table[Read](
    Check("revoked", _not_revoked),
    Check("grant", _standing),
    Check("subject", _person, ("grant",)),
    Check("session", _session, ("grant",)),
)
"""What is asked of Postgres, in one transaction."""


def read(token: str) -> AccessToken:
    """The access token behind `token`, alive here and now. Raises InvalidToken, Unavailable.

    An ID token is refused although its type may be the same: it names no client_id and no grant.
    """
    return living(signed(token))


def signed(token: str) -> Read:
    """What `token` says, signed by us, and the client that it names, no look at Postgres. Raises InvalidToken."""
    found = Read(jwt.verify(token, typ=TYPES, audience=None))
    NAMED.hold(found)
    return found


def living(found: Read) -> AccessToken:
    """The same token, alive here and now. Raises InvalidToken, Unavailable."""
    with transaction(readonly=True):
        if found.kind == _OF_GRANT and found.origin is not None:
            found.looked = behind.of(found.origin, str(found.claims["jti"]))
        ALIVE.hold(found)
    if found.client is None:
        raise AssertionError("client comes first")
    return AccessToken(found.claims, found.client, found.user, found.grant)


def alive(grant: Grant, user: User) -> bool:
    """Whether a grant still stands: not revoked, not too old, its person active, its session too."""
    return not ended(grant) and not barred(grant, user) and in_session(grant)


def ended(grant: Grant) -> str:
    """Why a grant stands no more by its own row, or ""."""
    if grant.revoked_at is not None:
        return f"revoked at {grant.revoked_at.isoformat(timespec='seconds')}: {grant.revoked_reason}"
    if clock.now() >= grant.expires_at:
        return f"ended at {grant.expires_at.isoformat(timespec='seconds')}"
    return ""


def barred(grant: Grant, user: User | None) -> str:
    """Why the person of a grant may not be spoken for, or ""."""
    if user is None:
        return "no such person"
    if not user.active:
        return user.status
    for since in (user.not_before, directory.not_before()):
        if since is not None and grant.auth_time < since:
            return f"signed in before {_told(since)}"
    return ""


def _told(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")


def in_session(grant: Grant) -> bool:
    """Whether a grant that ends with a session has it still; an offline grant needs none."""
    if grant.offline:
        return True
    return grant.session_id is not None and sessions.alive(grant.session_id) is not None
