"""The sender of a tenant in the vault: what acme keeps, globex cannot find, replace or remove."""

from dataclasses import replace

import pytest

from idp import clock
from idp.store.durable import mail_senders
from idp.store.durable.mail_senders import Sender
from idp.tenants import Tenant, entered


@pytest.fixture
def both(acme: Tenant, globex: Tenant) -> list[Sender]:
    made = []
    for tenant in (acme, globex):
        now = clock.now()
        sender = Sender(
            f"no-reply@{tenant.slug}.example",
            tenant.name,
            "smtps://me@mail.example",
            "k",
            b"sealed",
            b"s",
            now,
            now,
        )
        with entered(tenant):
            mail_senders.put(sender)
        made.append(sender)
    return made


def test_each_has_one_and_replaces_its_own(acme: Tenant, globex: Tenant, both: list[Sender]) -> None:
    with entered(acme):
        assert mail_senders.find() == both[0]
        mail_senders.put(replace(both[0], address="post@acme.example", smtp=None, kek_id=None, sealed=None))
        assert mail_senders.find() == replace(
            both[0], address="post@acme.example", smtp=None, kek_id=None, sealed=None
        )
    with entered(globex):
        assert mail_senders.find() == both[1]


def test_removing_takes_ones_own(acme: Tenant, globex: Tenant, both: list[Sender]) -> None:
    with entered(acme):
        assert mail_senders.remove() and not mail_senders.remove()
        assert mail_senders.find() is None
    with entered(globex):
        assert mail_senders.find() == both[1]
