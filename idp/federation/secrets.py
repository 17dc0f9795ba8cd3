"""The client secrets with which we prove ourselves to upstreams: sealed under the ring, opened where they are sent."""

from dataclasses import replace
from uuid import UUID

from idp.signing import ring
from idp.store.database import transaction
from idp.store.durable import upstreams
from idp.store.durable.upstreams import Upstream
from idp.tenants import current


def sealed(upstream: UUID, secret: str) -> tuple[str, bytes]:
    """A secret of the entered tenant's upstream, sealed: the id of the ring key, and what it made."""
    return ring.ring().wrap(secret.encode(), current().id, _name(upstream))


def opened(upstream: Upstream) -> str | None:
    """The secret; None for a public client. Raises Unsealable."""
    if upstream.kek_id is None or upstream.sealed is None:
        return None
    holding = ring.holding(upstream.kek_id)
    return holding.unwrap(upstream.kek_id, upstream.sealed, current().id, _name(upstream.id)).decode()


def rewrap() -> int:
    """Seal the secrets of the entered tenant's upstreams under the newest key of the ring; how many were not yet."""
    with transaction():
        rows = upstreams.under_others(ring.ring().newest.id)
        for row in rows:
            kek_id, again = sealed(row.id, opened(row) or "")
            upstreams.change(replace(row, kek_id=kek_id, sealed=again))
    return len(rows)


def sealed_by() -> dict[str, int]:
    """How many secrets of the entered tenant's upstreams each ring key seals."""
    return upstreams.sealed_by()


def _name(upstream: UUID) -> str:
    return f"upstream {upstream}"
