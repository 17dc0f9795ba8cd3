"""Signed tenant contexts for the canaries of a proof, and for nobody else.

Whoever proves the wall has to show Postgres good and expired contexts without ever holding the key.
"""

from dataclasses import dataclass, field
from uuid import UUID

from idp import audit
from idp.audit import Actor, Event
from idp.control.tenants import as_tenant, show
from idp.errors import Conflict, Invalid
from idp.store.database import outside, signer, transaction
from idp.tenants import entered

CANARY = "canary-"
"""How the slug of a throw-away tenant begins."""
LONGEST = 600
"""Seconds that a context may live, or be over, at most."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A context of one tenant, and for how many seconds it was signed; negative: it has ended."""

    slug: str
    tenant_id: UUID
    lives: int
    context: str = field(repr=False)


def sign(slug: str, lives: tuple[int, ...], actor: Actor | None = None) -> list[Signed]:
    """A context of a canary for each of `lives`, in seconds. Raises NotFound, Conflict, Invalid."""
    if not slug.startswith(CANARY):
        raise Conflict(
            f"{slug} is no canary: contexts are signed for tenants whose slug begins with {CANARY}.",
            rule="slug",
        )
    if any(abs(each) > LONGEST for each in lives):
        raise Invalid(f"lives must be a whole number of seconds from -{LONGEST} to {LONGEST}.", rule="lives")
    tenant = as_tenant(show(slug))
    with outside():
        pass  # a first connection measures how far Postgres' clock is from ours
    signed = [Signed(slug, tenant.id, each, signer().sign(tenant.id, each)) for each in lives]
    with entered(tenant), transaction():
        audit.record(Event.CONTEXT_SIGNED, actor, lives=list(lives))
    return signed
