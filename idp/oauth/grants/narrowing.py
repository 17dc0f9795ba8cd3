"""What a token request may narrow: scope (RFC 6749 §6) and resource (RFC 8707 §2.2), never widen."""

from idp.errors import InvalidScope, InvalidTarget
from idp.oauth import scopes
from idp.oauth.request import ProtocolRequest
from idp.store.durable.clients import Client
from idp.tenants import current


def narrowed(
    request: ProtocolRequest,
    client: Client,
    granted: tuple[str, ...],
    resources: tuple[str, ...],
    asked: tuple[str, ...] = (),
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The scopes and resources of this one token. Raises InvalidScope, InvalidTarget.

    `asked`: the scope parameter of a refresh; a code's redemption has none (RFC 6749 §4.1.3), so that what
    stands there is ignored. A scope that has been withdrawn from the client since falls away.
    """
    beyond = [scope for scope in asked if scope not in granted]
    if beyond:
        raise InvalidScope(rule="scope.narrowing", expected=list(granted), got=beyond)
    mine = scopes.allowed(client)
    kept = tuple(scope for scope in granted if (not asked or scope in asked) and scope in mine)
    wanted = tuple(dict.fromkeys(request.resources))
    if wanted:
        reachable = set(resources) or _reachable(client, granted)
        beyond = [resource[:256] for resource in wanted if resource not in reachable]
        if beyond:
            raise InvalidTarget(rule="resource.narrowing", expected=sorted(reachable), got=beyond)
        kept, resources = scopes.within(client, kept, wanted), wanted
    if not kept:
        raise InvalidScope(rule="scope.left", expected=list(granted), setting="client.scope, api.grants")
    scopes.target(client, kept, resources)
    return kept, resources


def _reachable(client: Client, granted: tuple[str, ...]) -> set[str]:
    return {api.identifier for api in scopes.reached(client, granted, ())} | set(current().issuers)
