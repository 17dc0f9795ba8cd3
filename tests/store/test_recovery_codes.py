"""Recovery codes in the vault: one tenant's own, and used once."""

import datetime as dt
from typing import Any

import pytest

from idp import clock
from idp.store.durable import recovery_codes
from idp.store.durable.recovery_codes import RECOVERY, TEMPORARY
from idp.tenants import Tenant, entered
from tests.attacks.acting import at_once
from tests.store.namesakes import SAME, doras


@pytest.fixture
def both(twins: tuple[Tenant, Tenant], database: Any) -> tuple[Tenant, Tenant]:
    """The twins, with a Dora each."""
    return doras(twins, database)


def test_codes_are_their_tenants_alone(both: tuple[Tenant, Tenant]) -> None:
    acme, globex = both
    with entered(acme):
        recovery_codes.replace(SAME, RECOVERY, [b"one", b"two"])
        recovery_codes.replace(SAME, TEMPORARY, [b"soon"], clock.now() + dt.timedelta(minutes=1))
        made = recovery_codes.made_at(SAME)
    with entered(globex):
        assert recovery_codes.left(SAME) == {} and recovery_codes.made_at(SAME) is None
        assert recovery_codes.use(SAME, b"one") is None and recovery_codes.remove(SAME) == 0
        recovery_codes.replace(SAME, RECOVERY, [b"theirs"])
    with entered(acme):
        assert made is not None and recovery_codes.left(SAME) == {RECOVERY: 2, TEMPORARY: 1}
        assert recovery_codes.use(SAME, b"theirs") is None
        assert recovery_codes.use(SAME, b"soon") == TEMPORARY and recovery_codes.use(SAME, b"soon") is None
        recovery_codes.replace(SAME, RECOVERY, [b"new"])
        assert recovery_codes.use(SAME, b"two") is None
        assert recovery_codes.left(SAME) == {RECOVERY: 1} and recovery_codes.remove(SAME) == 2
    with entered(globex):
        assert recovery_codes.left(SAME) == {RECOVERY: 1}


def test_rc09_a_code_lets_in_exactly_one_of_many(both: tuple[Tenant, Tenant]) -> None:
    with entered(both[0]):
        recovery_codes.replace(SAME, RECOVERY, [b"one"])

    def use(_: int) -> str | None:
        with entered(both[0]):
            return recovery_codes.use(SAME, b"one")

    assert [each for each in at_once(32, use) if each] == [RECOVERY]


def test_a_temporary_code_that_is_too_old_is_none(both: tuple[Tenant, Tenant], frozen: Any) -> None:
    with entered(both[0]), frozen() as time:
        recovery_codes.replace(SAME, TEMPORARY, [b"soon"], clock.now() + dt.timedelta(minutes=1))
        time.tick(61)
        assert recovery_codes.left(SAME) == {} and recovery_codes.use(SAME, b"soon") is None
