"""A tenant's own hosts as the worker sees them: it can take their proof back and never give one."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from idp import clock, directory
from idp.audit import SYSTEM
from idp.control import hosts
from idp.store.database import transaction
from idp.store.durable import tenants
from idp.tenants import Tenant, entered

ACME, GLOBEX, PENDING = "id.acme.example", "id.globex.example", "new.acme.example"


@pytest.fixture
def proved(twins: tuple[Tenant, Tenant]) -> tuple[Tenant, Tenant]:
    """A proved host of each, and one of acme's that is not."""
    for slug, host in (("acme", ACME), ("globex", GLOBEX)):
        proof = hosts.add(slug, host, SYSTEM)
        hosts.prove(slug, host, SYSTEM, lookup=lambda _name, value=proof.value: [value])
    hosts.add("acme", PENDING, SYSTEM)
    return twins


def names(at: dt.datetime) -> list[str]:
    return [each.host for each in tenants.hosts_looked_at_before(at)]


def test_a_look_at_a_host_is_its_own_tenants(proved: tuple[Tenant, Tenant]) -> None:
    acme, globex = proved
    later = clock.now() + dt.timedelta(days=1)
    with entered(globex):
        tenants.looked_at(ACME, later, later)
        assert names(later) == [GLOBEX]
    with entered(acme):
        assert names(later) == [ACME]
        tenants.looked_at(ACME, later, later)
        assert names(later) == []
        [only] = tenants.hosts_looked_at_before(later + dt.timedelta(seconds=1))
        assert (only.host, only.missing_since) == (ACME, later)


def test_a_host_lapses_once_and_for_its_own_tenant(proved: tuple[Tenant, Tenant]) -> None:
    acme, globex = proved
    now = clock.now()
    with entered(globex):
        assert not tenants.lapse(ACME, now)
    directory.poll()
    assert directory.resolve_host(ACME) is not None
    with entered(acme):
        assert not tenants.lapse(PENDING, now)
        assert tenants.lapse(ACME, now)
        assert not tenants.lapse(ACME, now)
        assert names(now + dt.timedelta(days=2)) == []
    directory.poll()
    assert directory.resolve_host(ACME) is None
    assert directory.resolve_host(GLOBEX) is not None


@pytest.mark.parametrize("values", [{"status": "proved"}, {"host": GLOBEX}, {"challenge": "known"}])
def test_the_runtime_role_proves_no_host(proved: tuple[Tenant, Tenant], values: dict[str, Any]) -> None:
    with (
        entered(proved[0]),
        pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
        transaction() as tx,
    ):
        tx.execute(tenants.hosts.update().where(tenants.hosts.c.host == PENDING).values(values))
