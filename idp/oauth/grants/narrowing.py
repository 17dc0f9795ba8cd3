"""What a token request may narrow: scope (RFC 6749 §6) and resource (RFC 8707 §2.2), never widen."""

from idp.errors import InvalidScope, InvalidTarget
from idp.oauth import scopes
from idp.oauth.request import ProtocolRequest
from idp.store.durable.clients import Client
from idp.tenants import current


def narrowed(
    request: ProtocolRequest, client: Client, granted: tuple[str, ...], resources: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The scopes and resources of this one token. Raises InvalidScope, InvalidTarget.

    A scope that has been withdrawn from the client since falls away.
    """
    asked = scopes.split(request.form.get("scope"))
    beyond = [scope for scope in asked if scope not in granted]
    if beyond:
        raise InvalidScope(rule="scope.narrowing", expected=list(granted), got=beyond)
    mine = scopes.allowed(client)
    kept = tuple(scope for scope in granted if (not asked or scope in asked) and scope in mine)
    resource = request.form.get("resource")
    if resource is None:
        return kept, resources
    reachable = set(resources) or set(scopes.target(client, granted, ()).audience) | {current().issuer}
    if resource not in reachable:
        raise InvalidTarget(rule="resource.narrowing", expected=sorted(reachable), got=resource[:256])
    return scopes.within(kept, (resource,)), (resource,)
