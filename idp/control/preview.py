"""What a client would be told about a person: the three documents, and the rule that made each member."""

from dataclasses import dataclass
from typing import Any

from idp import audit
from idp.accounts import claims
from idp.audit import Actor, Event
from idp.control import clients, users
from idp.store.durable import apis
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client
from idp.store.durable.users import User
from idp.tenants import Tenant, current

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
    """The documents for a person and a client of the entered tenant, granted `scope` (else all of the client's).

    Times, hashes and identifiers of a token itself are left out: they differ each time. Raises NotFound.
    """
    user, client = users.show(username), clients.show(client_id)
    scopes = client.scopes if scope is None else tuple(scope.split())
    audience = [api for api in apis.every() if set(api.grants.get(client.id, ())) & set(scopes)]
    audit.record(Event.CLAIMS_PREVIEWED, actor, user_id=user.id, client_id=client_id)
    return {where: _document(where, user, client, scopes, audience) for where in DOCUMENTS}


def _document(
    where: str, user: User, client: Client, scopes: tuple[str, ...], audience: list[Api]
) -> list[Member]:
    told = claims.explained(
        user, scopes, where=where, client=client, apis=audience if where == "access_token" else ()
    )
    members = {name: Member(name, each.value, each.rule) for name, each in told.items()}
    for member in _protocol(where, current(), client, scopes, audience):
        members[member.name] = member
    return sorted(members.values(), key=lambda member: member.name)


def _protocol(
    where: str, tenant: Tenant, client: Client, scopes: tuple[str, ...], audience: list[Api]
) -> list[Member]:
    """What the protocol itself says about the token, as far as it is the same each time."""
    if where == "userinfo":
        return []
    members = [Member("iss", tenant.issuer, "issuer of the tenant")]
    named = [Member("tenant", tenant.slug, "tenant"), Member("tenant_id", str(tenant.id), "tenant")]
    if where == "id_token":
        members.append(Member("aud", client.client_id, "OpenID Connect Core section 2"))
        return members + (named if tenant.policy.tenant_claims_in_id_token else [])
    identifiers = [api.identifier for api in audience]
    identifiers += [tenant.issuer] if "openid" in scopes or not identifiers else []
    aud: Any = identifiers[0] if len(identifiers) == 1 else identifiers
    members.append(Member("aud", aud, "APIs whose scopes were granted, and the issuer for openid"))
    members.append(Member("client_id", client.client_id, "RFC 9068 section 2.2"))
    members.append(Member("scope", " ".join(scopes), "RFC 9068 section 2.2.3"))
    return members + named
