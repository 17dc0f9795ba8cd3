"""A tenant with keys in memory: for tests of signing that need no database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from idp import clock
from idp.signing import cache, keys, ring, rotation
from idp.store.durable import signing_keys
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Tenant, entered

MATERIAL = {alg: [rotation.generate(alg), rotation.generate(alg)] for alg in keys.ALGORITHMS}


class Keyring:
    """Tenants whose rows lie in a dictionary instead of Postgres."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.rows: dict[object, tuple[SigningKey, ...]] = {}
        patch.setattr(signing_keys, "all_keys", self._all)
        patch.setattr(ring._Process, "ring", ring.Ring((ring.make(),)))
        cache.forget()

    def _all(self) -> tuple[SigningKey, ...]:
        from idp.tenants import current

        return self.rows[current().id]

    def tenant(self, slug: str = "acme", algs: tuple[str, ...] = keys.ALGORITHMS, turn: int = 0) -> Tenant:
        """A tenant born now with an active and a next key for each of `algs`."""
        tenant = Tenant(uuid4(), slug, slug.title(), "active", f"http://localhost/t/{slug}", version=1)
        now = clock.now()
        with entered(tenant):
            rows = [
                rotation._sealed(MATERIAL[alg][(turn + place) % 2], now, at)
                for place, (alg, at) in enumerate(rotation.plan((), now, tenant, algs).create)
            ]
            ends = rotation.chained(rows, now)
        self.rows[tenant.id] = tuple(replace(row, **ends.get(row.kid, {})) for row in rows)  # type: ignore[arg-type]
        return tenant


@contextmanager
def keyring() -> Iterator[Keyring]:
    """A keyring for the length of a block."""
    with pytest.MonkeyPatch.context() as patch:
        yield Keyring(patch)
    cache.forget()
