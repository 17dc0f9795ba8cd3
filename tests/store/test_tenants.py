"""Tenants' rows as the runtime role sees them: each its own; of hosts it takes a proof back and never gives one."""

import datetime as dt
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from idp import clock, directory
from idp.audit import SYSTEM
from idp.config import Settings
from idp.control import hosts
from idp.control.readiness import security
from idp.control.readiness.check import Seen
from idp.control.readiness.world import World
from idp.store.database import transaction
from idp.store.durable import tenants
from idp.tenants import Tenant, entered

NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ACME, GLOBEX, PENDING = "id.acme.example", "id.globex.example", "new.acme.example"


@pytest.fixture
def proved(twins: tuple[Tenant, Tenant]) -> tuple[Tenant, Tenant]:
    """A proved host of each, and one of acme's that is not."""
    for slug, host in (("acme", ACME), ("globex", GLOBEX)):
        proof = hosts.add(slug, host, SYSTEM)
        hosts.prove(slug, host, SYSTEM, lookup=lambda _name, value=proof.value: [value])
    hosts.add("acme", PENDING, SYSTEM)
    return twins


def test_a_name_leads_to_its_own_tenant(proved: tuple[Tenant, Tenant]) -> None:
    acme, globex = proved
    assert (tenants.find(slug="acme"), tenants.find(slug="globex")) == (acme.id, globex.id)
    assert (tenants.find(host=ACME), tenants.find(host=GLOBEX)) == (acme.id, globex.id)
    assert tenants.find(host=PENDING) is None
    assert tenants.find(slug="nobody") is None


def test_a_row_is_read_by_its_own_tenant_alone(proved: tuple[Tenant, Tenant]) -> None:
    acme, globex = proved
    row = tenants.read(acme.id)
    assert row is not None and (row.id, row.slug, row.hosts) == (acme.id, "acme", (ACME,))
    with entered(globex):
        with pytest.raises(RuntimeError, match="entered already"):
            tenants.read(acme.id)
        with transaction(readonly=True) as tx:
            seen = [tenants.as_row(each) for each in tx.execute(sa.select(tenants.tenants))]
        assert [(each.slug, each.hosts) for each in seen] == [("globex", ())]


def test_a_change_is_told_of_the_tenant_that_changed(twins: tuple[Tenant, Tenant], database: Any) -> None:
    acme, _ = twins
    _, since = tenants.changed(NEVER)
    database("UPDATE tenants SET version = version + 1, changed_at = clock_timestamp() WHERE slug = 'acme'")
    [(changed, version)], at = tenants.changed(since)
    assert changed == acme.id and version > acme.version and at > since
    assert tenants.changed(at)[0] == []


def test_a_visit_is_noted_for_its_own_tenant(twins: tuple[Tenant, Tenant], database: Any) -> None:
    acme, globex = twins
    database("DELETE FROM audit_log")
    database("UPDATE tenants SET visited_at = now() - interval '1 day'")
    now, first = clock.now(), UUID(int=0)
    assert sorted(tenants.due(first, now)) == sorted([acme.id, globex.id])
    assert tenants.due(first, now, most=1) == [min(acme.id, globex.id)]
    with entered(acme):
        tenants.visited(now)
    assert tenants.due(first, now) == [globex.id]
    assert tenants.due(globex.id, now) == []


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


def test_every_active_tenant_needs_a_key_that_signs(
    twins: tuple[Tenant, Tenant], database: Any, settings: Settings
) -> None:
    def signing() -> Seen:
        return security.every_tenant_signs(World(settings))

    acme, globex = twins
    assert tenants.keyless(clock.now()) is None
    assert signing().holds
    database(
        "UPDATE signing_keys SET activate_at = now() + interval '1 day' WHERE tenant_id = %s", str(globex.id)
    )
    assert signing().words == "Tenant globex has no signing key."
    assert not signing().holds
    database("UPDATE tenants SET status = 'suspended' WHERE slug = 'globex'")
    assert signing().holds
    database("UPDATE signing_keys SET revoked_at = now() WHERE tenant_id = %s", str(acme.id))
    assert tenants.keyless(clock.now()) == "acme"
    database("DELETE FROM signing_keys")
    assert tenants.keyless(clock.now()) == "acme"
