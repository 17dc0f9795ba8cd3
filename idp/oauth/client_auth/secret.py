"""client_secret_basic and client_secret_post (RFC 6749 §2.3.1): a secret of high entropy, kept as its digest."""

from idp import clock, ids
from idp.oauth.request import ProtocolRequest
from idp.store.durable.clients import Client

_NOBODY = ids.digest(ids.secret())


def basic(request: ProtocolRequest, client: Client | None) -> bool:
    """Whether the secret of the Authorization header is the client's."""
    return _matches(request.basic[1] if request.basic is not None else "", client)


def post(request: ProtocolRequest, client: Client | None) -> bool:
    """Whether the secret in the form is the client's."""
    return _matches(request.form.get("client_secret", ""), client)


def _matches(given: str, client: Client | None) -> bool:
    if client is None:
        return ids.same(ids.digest(given), _NOBODY)
    return client.secret_matches(given, clock.now())
