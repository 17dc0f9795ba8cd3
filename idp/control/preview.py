"""What a client would be told about a person: the three documents, and the rule that made each member."""

from dataclasses import dataclass
from typing import Any

from idp import audit, clock, directory, registration
from idp.accounts import assurance, claims
from idp.audit import Actor, Event
from idp.control import clients, record, users
from idp.errors import Conflict, NotFound
from idp.oauth import scopes
from idp.oauth.scopes import Target
from idp.registration import fapi
from idp.store.durable.clients import Client
from idp.store.durable.users import User
from idp.tenants import Tenant, current, entered

DOCUMENTS = ("id_token", "userinfo", "access_token")


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a document, and the rule that made it."""

    name: str
    value: Any
    rule: str


def preview(
    username: str,
    client_id: str,
    *,
    scope: str | None = None,
    nonce: str | None = None,
    actor: Actor | None = None,
) -> dict[str, list[Member]]:
    """The documents for a person and a client of the entered tenant, granted `scope` (else all it may have).

    Every member that would be minted, as if the person signed in now with a password; what is made anew for
    each token has no value here. `nonce`: of the request. Raises NotFound, InvalidScope.
    """
    user, client = users.show(username), clients.show(client_id)
    asked = sorted(scopes.allowed(client)) if scope is None else scopes.split(scope)
    granted = scopes.grantable(client, asked)
    target = scopes.target(client, granted, ())
    audit.record(Event.CLAIMS_PREVIEWED, actor, user_id=user.id, client_id=client_id)
    return {where: _document(where, user, client, granted, target, nonce) for where in DOCUMENTS}


def only_tenant(username: str, client_id: str) -> str:
    """The slug of the one tenant that has both. Raises NotFound where none has, Conflict where several have."""
    fits = [
        tenant.slug
        for tenant in record.every()
        if tenant.status != "deleted" and _has(tenant, username, client_id)
    ]
    if not fits:
        raise NotFound("No tenant has both this person and this client.", rule="tenant")
    if len(fits) > 1:
        shown = ", ".join(fits[:5]) + (" and others" if len(fits) > 5 else "")
        raise Conflict(f"Several tenants have both ({shown}): name one with --tenant.", rule="tenant")
    return fits[0]


def _has(tenant: Tenant, username: str, client_id: str) -> bool:
    with entered(tenant):
        try:
            return bool(clients.show(client_id) and users.show(username))
        except NotFound:
            return False


def _document(
    where: str, user: User, client: Client, granted: tuple[str, ...], target: Target, nonce: str | None
) -> list[Member]:
    if where != "access_token" and "openid" not in granted:
        return []  # OpenID Connect Core section 3.1.2.1: without that scope there is neither
    apis = directory.apis() if where == "userinfo" else target.apis
    told = claims.explained(user, granted, where=where, client=client, apis=apis)
    members = {name: Member(name, each.value, each.rule) for name, each in told.items()}
    for member in _protocol(where, current(), user, client, granted, target, nonce):
        members[member.name] = member
    return sorted(members.values(), key=lambda member: member.name)


def _protocol(
    where: str,
    tenant: Tenant,
    user: User,
    client: Client,
    granted: tuple[str, ...],
    target: Target,
    nonce: str | None,
) -> list[Member]:
    """What the protocol itself says in the document, whatever scopes and rules tell."""
    if where == "userinfo":
        return []
    own = (
        _of_id_token(tenant, client, nonce)
        if where == "id_token"
        else _of_access_token(client, granted, target)
    )
    lifetime, words = _lifetime(where, client, target)
    now = clock.epoch()
    members = [
        *own,
        Member("iss", tenant.issuer, "issuer of the tenant"),
        Member("sub", str(user.id), "subject: the person's id, never anyone else's"),
        Member("iat", now, "time of issue; here the present one"),
        Member("exp", now + lifetime, words),
        Member("auth_time", now, "time of the sign-in; here the present one"),
        Member("acr", assurance.ONE, "what the sign-in was worth; here a password alone"),
        Member("amr", ["pwd"], "how the person signed in (RFC 8176); here with a password"),
    ]
    if where == "access_token" or tenant.policy.tenant_claims_in_id_token:
        setting = "policy tenant_claims_in_id_token" if where == "id_token" else "every access token"
        members.append(Member("tenant", tenant.slug, f"slug of the tenant ({setting})"))
        members.append(Member("tenant_id", str(tenant.id), f"id of the tenant ({setting})"))
    return members


def _of_id_token(tenant: Tenant, client: Client, nonce: str | None) -> list[Member]:
    registered = client.metadata.get("id_token_signed_response_alg")
    alg = fapi.alg(client, registered, tenant.policy.id_token_signing_alg)
    members = [
        Member("aud", client.client_id, "OpenID Connect Core section 2: the client"),
        Member(
            "at_hash", None, f"OpenID Connect Core section 3.1.3.6: half a hash of the access token, by {alg}"
        ),
    ]
    return members + (
        [Member("nonce", nonce, "nonce of the request, as it came")] if nonce is not None else []
    )


def _of_access_token(client: Client, granted: tuple[str, ...], target: Target) -> list[Member]:
    aud: Any = target.audience[0] if len(target.audience) == 1 else list(target.audience)
    return [
        Member("aud", aud, "APIs whose scopes were granted, and the issuer for openid"),
        Member("jti", None, "RFC 9068 section 2.2: made anew for each token"),
        Member("client_id", client.client_id, "RFC 9068 section 2.2"),
        Member("scope", " ".join(granted), "RFC 9068 section 2.2.3"),
    ]


def _lifetime(where: str, client: Client, target: Target) -> tuple[int, str]:
    """Seconds that the token lives, and who says so."""
    name = f"{where}_lifetime"
    seconds = registration.effective(client, name)
    who = "client" if client.setting(name) is not None else "policy"
    if where == "access_token" and target.lifetime is not None and target.lifetime < seconds:
        seconds, who = target.lifetime, "API"
    return seconds, f"iat and {name} of the {who}" if who != "policy" else f"iat and policy {name}"
