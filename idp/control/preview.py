"""What a client would be told about a person: the three documents, and the rule that made each member."""

from dataclasses import dataclass
from typing import Any

from idp import audit, directory
from idp.accounts import claims
from idp.audit import Actor, Event
from idp.control import clients, record, users
from idp.errors import Conflict, NotFound
from idp.oauth import scopes
from idp.oauth.scopes import Target
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
    username: str, client_id: str, *, scope: str | None = None, actor: Actor | None = None
) -> dict[str, list[Member]]:
    """The documents for a person and a client of the entered tenant, granted `scope` (else all it may have).

    Times, hashes and identifiers of a token itself are left out: they differ each time. Raises NotFound, InvalidScope.
    """
    user, client = users.show(username), clients.show(client_id)
    asked = sorted(scopes.allowed(client)) if scope is None else scopes.split(scope)
    granted = scopes.grantable(client, asked)
    target = scopes.target(client, granted, ())
    audit.record(Event.CLAIMS_PREVIEWED, actor, user_id=user.id, client_id=client_id)
    return {where: _document(where, user, client, granted, target) for where in DOCUMENTS}


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
    where: str, user: User, client: Client, granted: tuple[str, ...], target: Target
) -> list[Member]:
    apis = directory.apis() if where == "userinfo" else target.apis
    told = claims.explained(user, granted, where=where, client=client, apis=apis)
    members = {name: Member(name, each.value, each.rule) for name, each in told.items()}
    for member in _protocol(where, current(), client, granted, target):
        members[member.name] = member
    return sorted(members.values(), key=lambda member: member.name)


def _protocol(
    where: str, tenant: Tenant, client: Client, granted: tuple[str, ...], target: Target
) -> list[Member]:
    """What the protocol itself says about the token, as far as it is the same each time."""
    if where == "userinfo":
        return []
    members = [Member("iss", tenant.issuer, "issuer of the tenant")]
    named = [Member("tenant", tenant.slug, "tenant"), Member("tenant_id", str(tenant.id), "tenant")]
    if where == "id_token":
        members.append(Member("aud", client.client_id, "OpenID Connect Core section 2"))
        return members + (named if tenant.policy.tenant_claims_in_id_token else [])
    aud: Any = target.audience[0] if len(target.audience) == 1 else list(target.audience)
    members.append(Member("aud", aud, "APIs whose scopes were granted, and the issuer for openid"))
    members.append(Member("client_id", client.client_id, "RFC 9068 section 2.2"))
    members.append(Member("scope", " ".join(granted), "RFC 9068 section 2.2.3"))
    return members + named
