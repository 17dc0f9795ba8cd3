"""Notes of who came by which address: one for each client and issuer, of its own tenant."""

import datetime as dt
from typing import Any
from uuid import UUID

from idp import clock
from idp.store.database import transaction
from idp.store.durable import issuer_uses, marks
from idp.tenants import Tenant, entered

CLIENT = UUID("01890a5d-0000-7000-8000-000000000005")
OLD = "http://localhost/t/acme"


def test_notes_are_the_tenants_own(twins: tuple[Tenant, Tenant], database: Any) -> None:
    """The very same client id in both tenants, which share nothing else."""
    for tenant in twins:
        database(
            "INSERT INTO clients (tenant_id, id, client_id, metadata, settings, status, created_at, updated_at)"
            " VALUES (%s, %s, 'shop', '{}', '{}', 'active', now(), now())",
            str(tenant.id), str(CLIENT),
        )  # fmt: skip
    acme, globex = twins
    now = clock.now()
    with entered(acme):
        assert issuer_uses.note(CLIENT, OLD, now)
    with entered(globex):
        assert issuer_uses.every() == ()
        assert issuer_uses.note(CLIENT, OLD, now - dt.timedelta(hours=1))
        assert issuer_uses.clear() == 1
    with entered(acme):
        assert [(use.client_id, use.issuer, use.last_at) for use in issuer_uses.every()] == [
            ("shop", OLD, now)
        ]
        assert issuer_uses.note(CLIENT, OLD, now - dt.timedelta(hours=1)), "an older one changes nothing"
        assert issuer_uses.note(CLIENT, "https://id.acme.example", now + dt.timedelta(hours=1))
        found = issuer_uses.every()
        assert [use.issuer for use in found] == ["https://id.acme.example", OLD]
        assert found[1].last_at == now


def test_a_client_that_went_meanwhile_is_not_noted(twins: tuple[Tenant, Tenant]) -> None:
    with entered(twins[0]):
        assert not issuer_uses.note(CLIENT, OLD, clock.now())
        assert issuer_uses.every() == ()


def test_a_client_that_went_meanwhile_leaves_the_callers_transaction_whole(
    twins: tuple[Tenant, Tenant],
) -> None:
    with entered(twins[0]):
        with transaction() as tx:
            assert marks.leave("before", b"1" * 32, clock.now() + dt.timedelta(hours=1))
            assert not issuer_uses.note(CLIENT, OLD, clock.now())
            assert tx.connection().exec_driver_sql("SELECT ctx.tenant()").scalar() == twins[0].id
            assert marks.leave("after", b"2" * 32, clock.now() + dt.timedelta(hours=1))
        assert not marks.leave("before", b"1" * 32, clock.now() + dt.timedelta(hours=1))
        assert not marks.leave("after", b"2" * 32, clock.now() + dt.timedelta(hours=1))
