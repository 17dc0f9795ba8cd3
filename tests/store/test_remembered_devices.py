"""Trusted devices in the vault: one tenant's own, and swept up."""

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest

from idp import clock
from idp.store.durable import remembered_devices
from idp.store.durable.remembered_devices import Remembered
from idp.tenants import Tenant, entered
from tests.store.namesakes import SAME, doras


@pytest.fixture
def both(twins: tuple[Tenant, Tenant], database: Any) -> tuple[Tenant, Tenant]:
    """The twins, with a Dora each."""
    return doras(twins, database)


def test_a_device_is_its_tenants_alone(both: tuple[Tenant, Tenant]) -> None:
    acme, globex = both
    at = clock.now()
    device = Remembered(uuid4(), SAME, b"d" * 32, "Firefox", at, at + dt.timedelta(days=1))
    later = Remembered(
        uuid4(), SAME, b"e" * 32, None, at + dt.timedelta(seconds=1), at + dt.timedelta(days=9)
    )
    with entered(acme):
        remembered_devices.add(device)
        remembered_devices.add(later)
    with entered(globex):
        assert remembered_devices.find(SAME, device.digest) is None and remembered_devices.of_user(SAME) == ()
        assert remembered_devices.forget(SAME) == 0
        assert remembered_devices.purge(at + dt.timedelta(days=99)) == 0
        remembered_devices.add(device)
    with entered(acme):
        assert remembered_devices.find(SAME, device.digest) == device
        assert remembered_devices.of_user(SAME) == (later, device)
        assert remembered_devices.purge(at + dt.timedelta(days=2)) == 1
        assert remembered_devices.forget(SAME, device.id) == 0 and remembered_devices.forget(SAME) == 1
    with entered(globex):
        assert remembered_devices.of_user(SAME) == (device,)
