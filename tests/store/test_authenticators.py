"""Authenticators in the vault: one tenant's own, and each step used once."""

from typing import Any
from uuid import uuid4

import pytest

from idp import clock
from idp.store.durable import authenticators
from idp.store.durable.authenticators import Authenticator
from idp.tenants import Tenant, entered
from tests.attacks.acting import at_once
from tests.store.namesakes import SAME, doras


@pytest.fixture
def both(twins: tuple[Tenant, Tenant], database: Any) -> tuple[Tenant, Tenant]:
    """The twins, with a Dora each."""
    return doras(twins, database)


def _app(sealed: str, step: int = 10) -> Authenticator:
    return Authenticator(uuid4(), SAME, sealed, step, clock.now(), None)


def test_an_authenticator_is_its_tenants_alone(both: tuple[Tenant, Tenant]) -> None:
    acme, globex = both
    mine = _app("mine")
    with entered(acme):
        authenticators.put(mine)
    with entered(globex):
        assert authenticators.of_user(SAME) is None
        assert not authenticators.use(mine.id, 99) and not authenticators.remove(SAME)
        theirs = _app("theirs")
        authenticators.put(theirs)
    with entered(acme):
        found = authenticators.of_user(SAME)
        assert found == mine and authenticators.use(mine.id, 11)
        authenticators.put(_app("another"))
        found = authenticators.of_user(SAME)
        assert found is not None and found.sealed == "another"
        assert authenticators.remove(SAME) and authenticators.of_user(SAME) is None
    with entered(globex):
        assert authenticators.of_user(SAME) == theirs


def test_rc08_a_step_is_used_once_and_none_before_it(both: tuple[Tenant, Tenant]) -> None:
    app = _app("sealed")
    with entered(both[0]):
        authenticators.put(app)

    def use(_: int) -> bool:
        with entered(both[0]):
            return authenticators.use(app.id, 12)

    assert sorted(at_once(32, use)) == [False] * 31 + [True]
    with entered(both[0]):
        assert not authenticators.use(app.id, 11) and authenticators.use(app.id, 13)
