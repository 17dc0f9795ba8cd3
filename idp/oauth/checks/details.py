"""`authorization_details` (RFC 9396 §2): each of a type that is known, open to the client, and fitting."""

from idp.oauth import details
from idp.oauth.checks.pending import Pending


def known(pending: Pending) -> None:
    """What is asked for in detail, judged by the types that APIs declare (§5)."""
    given = pending.get("authorization_details")
    if given is not None:
        pending.details = details.checked(
            details.read(given), pending.known_client, pending.scopes, pending.resources
        )
