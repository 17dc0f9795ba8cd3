"""What is asked for: scope (RFC 6749 §3.3) and resource (RFC 8707)."""

import re

from idp.errors import InvalidScope, InvalidTarget
from idp.oauth import scopes
from idp.oauth.checks.pending import Pending

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
MOST_RESOURCES = 8
"""Of one request, at either endpoint."""


def scope_wellformed(pending: Pending) -> None:
    """Tokens of printable ASCII, one space between them."""
    given = pending.get("scope")
    if given is None:
        raise InvalidScope("scope is missing.", rule="scope.present")
    if len(given) > 2048 or not _SCOPE.fullmatch(given):
        raise InvalidScope("scope is malformed.", rule="scope.wellformed", got=given[:128])


def scope_allowed(pending: Pending) -> None:
    """Unknown scopes are left out; a known one that the client may not have is refused."""
    client = pending.known_client
    pending.scopes = scopes.grantable(client, scopes.split(pending.get("scope")))
    if "refresh_token" not in client.grant_types:
        # Without a refresh token there is no offline access to grant (OIDC Core §11: then it is ignored).
        pending.scopes = tuple(scope for scope in pending.scopes if scope != "offline_access")
    if not pending.scopes:
        raise InvalidScope(
            "None of the requested scopes is known here.", rule="scope.known", got=pending.get("scope")
        )


def resource_known(pending: Pending) -> None:
    """Each resource is an API of this tenant that is open to the client (RFC 8707 §2)."""
    if len(pending.resources_given) > MOST_RESOURCES:
        raise InvalidTarget("There are too many resources.", rule="resource.count", expected=MOST_RESOURCES)
    pending.resources = scopes.resources(pending.known_client, pending.resources_given)
    pending.scopes = scopes.within(pending.known_client, pending.scopes, pending.resources)
    if not pending.scopes:
        raise InvalidScope("None of the requested scopes belongs to the resource.", rule="scope.resource")
