"""Who asks, and where the answer goes: until both hold, an error is a page and never a redirect."""

from idp import directory, urls
from idp.errors import InvalidRedirectUri, InvalidRequest, UnauthorizedClient
from idp.oauth import metadata_documents
from idp.oauth.checks.pending import Pending
from idp.registration import DEVICE_CODE, flows
from idp.tenants import current


def client_known(pending: Pending) -> None:
    """`client_id` names an active client of this tenant (RFC 6749 §4.1.1), or the document that describes one."""
    client_id = pending.get("client_id")
    if client_id is None:
        raise InvalidRequest("client_id is missing.", rule="client_id.present")
    row = directory.client(client_id) if len(client_id) <= 2048 else None
    client = metadata_documents.latest(client_id, row)
    if client is None or not client.active or (current().platform and not client.platform_issuer):
        raise InvalidRequest(
            "The application is not known here.",
            rule="client_id.known",
            expected=metadata_documents.why(client_id) or None,
            got=client_id[:128],
            setting="clients",
        )
    pending.client, pending.stranger = client, row is None


def redirect_uri_present(pending: Pending) -> None:
    """`redirect_uri` is always sent (OIDC Core §3.1.2.1); the first registered one is never assumed."""
    if pending.get("redirect_uri") is None:
        raise InvalidRequest(
            "redirect_uri is missing.",
            code="missing_redirect_uri",
            rule="redirect_uri.present",
            expected=list(pending.known_client.redirect_uris),
        )


def redirect_uri_registered(pending: Pending) -> None:
    """`redirect_uri` is one of the registered, character for character (RFC 9700 §2.1)."""
    client, given = pending.known_client, pending.params["redirect_uri"]
    if not any(urls.same_redirect(known, given, native=client.native) for known in client.redirect_uris):
        raise InvalidRedirectUri(
            rule="redirect_uri.registered",
            expected=list(client.redirect_uris),
            got=given[:512],
            setting="client.redirect_uris",
        )
    pending.redirect_uri = given
    # An address that a stranger wrote down is no place to send browsers to unasked (RFC 9700 §4.11.2).
    pending.returnable = not pending.stranger


def grant_allowed(pending: Pending) -> None:
    """The client may use the grants that the response type stands for (RFC 7591 §2)."""
    needed = flows.grants(pending.response_type)
    if not needed.issubset(pending.known_client.grant_types):
        raise UnauthorizedClient(
            rule="client.grant_types", expected=sorted(needed), setting="client.grant_types"
        )


def device_allowed(pending: Pending) -> None:
    """The client may use the grant of devices (RFC 8628 §3.1); one that only describes itself is known by then."""
    client = pending.known_client
    if DEVICE_CODE not in client.grant_types or pending.stranger:
        raise UnauthorizedClient(
            rule="client.grant_types",
            expected=[DEVICE_CODE],
            got=list(client.grant_types),
            setting="client.grant_types",
        )
