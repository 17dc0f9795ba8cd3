"""The platform issuer, `{base}`: one issuer for applications that many tenants have (docs/decisions).

It is a realm: a tenant that nobody belongs to, with keys of its own and the clients of those applications. Whoever
signs in by it signs in at a tenant, which stays entered with its rows, policies and people; only what is said to the
application is said in the platform's name, by :func:`face`. A code or refresh token that is given there names the
tenant in which it means anything.
"""

from contextvars import Context
from dataclasses import replace
from uuid import UUID

from idp import directory
from idp.errors import InvalidToken, NotFound
from idp.ids import b64, unb64
from idp.signing import parts
from idp.store.durable.clients import Client
from idp.tenants import PLATFORM, Tenant, current

MARK = "."
"""Between the name of a tenant and what it has given; in neither of them."""


class NoPlatform(NotFound):
    """There is no platform issuer, or none any more."""


def realm() -> Tenant | None:
    """The platform's realm, where there is one and it is active. Raises Unavailable.

    Another tenant may be entered, so it is looked up in a context of its own.
    """
    found = Context().run(directory.resolve, PLATFORM)
    return found if found is not None and found.active else None


def face(tenant: Tenant) -> Tenant:
    """The tenant as applications of the platform issuer see it: its rows, the platform's name and keys.

    Raises NoPlatform, Unavailable.
    """
    if tenant.platform:
        return tenant
    mine = realm()
    if mine is None:
        raise NoPlatform("There is no such issuer.", rule="platform.realm")
    return replace(tenant, issuer=mine.issuer, also=None, moving_since=None, realm=mine)


def speaking_to(client: Client) -> Tenant:
    """The entered tenant as `client` sees it, to be entered where something is said to it. Raises NoPlatform."""
    return face(current()) if client.platform_issuer else current()


def issuer_for(client: Client) -> str:
    """What names itself to `client` as its issuer: the entered tenant's, or the platform's."""
    return speaking_to(client).issuer


def fits(client: Client) -> bool:
    """Whether the client belongs to the issuer that is asked: each application has one of the two."""
    return client.platform_issuer == current().platform


def named(client: Client, given: str) -> str:
    """What is given to `client`, with the name of the entered tenant before it where the platform gives it."""
    return before(given) if client.platform_issuer else given


def before(given: str) -> str:
    """What is given, with the name of the entered tenant before it."""
    return f"{b64(current().id.bytes)}{MARK}{given}"


def unnamed(shown: str) -> tuple[UUID | None, str]:
    """The tenant that is named in what a stranger shows, if any, and the rest."""
    name, mark, rest = shown.partition(MARK)
    if not mark or len(name) != 22:
        return None, shown
    try:
        return UUID(bytes=unb64(name)), rest
    except ValueError:
        return None, shown


def about(token: str) -> UUID | None:
    """Of which tenant a signed token says that it is; not verified, which only that tenant can do."""
    try:
        claims = parts.json_object(parts.split(token)[1], "token.payload")
        return UUID(str(claims.get("tenant_id")))
    except (InvalidToken, ValueError):
        return None
