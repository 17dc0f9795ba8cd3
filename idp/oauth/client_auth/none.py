"""No authentication: a public client says who it is, and nothing proves it (RFC 6749 §2.1)."""

from idp.oauth.request import ProtocolRequest
from idp.store.durable.clients import Client


def public(request: ProtocolRequest, client: Client | None) -> bool:
    """Whether the request names a client; that it is registered as public is judged with the method."""
    return client is not None and client.client_id == request.form.get("client_id")
