"""The origins from which browser applications of a tenant may call it, over all its clients.

A preflight names no client, so that the question can only be put to the tenant as a whole. The set is kept
until the tenant changes.
"""

from uuid import UUID

from idp import registration
from idp.errors import Busy
from idp.memory import Recent
from idp.store.durable import clients
from idp.tenants import current

_known: Recent[UUID, tuple[int, frozenset[str]]] = Recent(2_000)


def allowed() -> frozenset[str]:
    """Origins of the entered tenant's active clients: their redirect URIs' and `allowed_origins`."""
    tenant = current()
    known = _known.get(tenant.id)
    if known is not None and known[0] == tenant.version:
        return known[1]
    try:
        active = [client for client in clients.every() if client.status == "active"]
    except Busy:
        return known[1] if known is not None else frozenset()
    found = frozenset(origin for client in active for origin in registration.origins(client))
    _known.put(tenant.id, (tenant.version, found))
    return found
