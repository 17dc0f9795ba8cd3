"""What a request to the token endpoint, or to that of pushed requests, has shown that its sender holds."""

from idp.oauth import binding as bindings
from idp.oauth import mutual
from idp.oauth.binding import X5T, Binding, certificate, dpop
from idp.oauth.request import ProtocolRequest
from idp.store.durable.clients import Client

ENDPOINTS = ("token", "par")
"""Where a key can be shown (RFC 9449 §5, §10.1)."""


def held(request: ProtocolRequest, client: Client) -> Binding | None:
    """The key that the client has shown, None for none. Raises InvalidDpopProof, UseDpopNonce, InvalidRequest.

    It is asked before anything of the grant is looked at, so that whoever has to come again has used nothing up.
    """
    if request.endpoint not in ENDPOINTS:
        return None
    found = None
    if request.proof is not None:
        seen = dpop.read(request.proof, request.method, mutual.places(request.endpoint))
        request.told |= dpop.told()
        dpop.once(seen)
        found = seen.binding
    elif bindings.demanded(client) == X5T:
        found = certificate.shown(request.certificate)
    if request.endpoint == "token":
        bindings.asked_for(client, found)
    return found
