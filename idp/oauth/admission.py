"""Room for applications that nobody vouches for: a tenant has so many, and one network a share of them.

Whoever registers without end fills its own share, and then pushes out its own applications that never got a token, the
oldest first. Where the tenant is full, the network that holds the most of those makes room for others.
"""

from collections.abc import Iterator

from idp import audit, directory, ids, throttle
from idp.audit import Actor, Event
from idp.registration import strangers
from idp.store.durable import clients, registrations
from idp.tenants import current


def origin_of(address: str) -> bytes | None:
    """What is kept of the network that an application came from: a digest of the tenant's own; None for nobody's."""
    return ids.digest(f"{current().id} {throttle.network(address)}") if address else None


def make(origin: bytes | None, actor: Actor) -> None:
    """Have room for one more application from `origin`, in the caller's transaction. Raises Full.

    `origin` None: somebody vouches for how many come (an initial access token), and only the tenant's limit counts.
    """
    policy, share = current().policy, True
    if origin is not None and registrations.count(origin) >= policy.registered_clients_of_one:
        share = _gone(origin, actor)
    if not share or (
        registrations.count() >= policy.registered_clients
        and not any(_gone(each, actor) for each in _who(origin))
    ):
        setting = "registered_clients" if share else "registered_clients_of_one"
        raise strangers.Full(rule="registration.count", setting=f"policy.{setting}")


def _who(origin: bytes | None) -> Iterator[bytes]:
    """Whose unused application makes room in a full tenant: of the network that has several and the most; one's own."""
    most = registrations.most_unused()
    if most is not None:
        yield most
    if origin is not None:
        yield origin


def _gone(origin: bytes, actor: Actor) -> bool:
    """Whether an application made room: the oldest of its network that never got a token and nobody vouches for."""
    found = registrations.oldest_unused(origin)
    if found is None or not clients.delete(found[0]):
        return False
    why = Actor(actor.kind, actor.id, actor.address, "unused, it made room for another application")
    audit.record(Event.CLIENT_DELETED, why, client_id=found[1])
    directory.forget(current().id)
    return True
