"""Suppressed addresses in the vault: what acme suppresses, globex cannot find, list or lift."""

from dataclasses import replace

import pytest

from idp import clock
from idp.ids import uuid7
from idp.store.durable import mail_suppressions, users
from idp.store.durable.mail_suppressions import Suppression
from idp.tenants import Tenant, entered


@pytest.fixture
def both(acme: Tenant, globex: Tenant) -> list[Suppression]:
    """The same address and id in both tenants."""
    made: list[Suppression] = []
    for tenant in (acme, globex):
        with entered(tenant):
            alice = users.by_username("alice")
            assert alice is not None
            one = Suppression(
                made[0].id if made else uuid7(), "Alice@example.com", "alice@example.com", alice.id, "bounced",
                "5.1.1", clock.now(),
            )  # fmt: skip
            assert mail_suppressions.add(one)
            made.append(one)
    return made


def test_each_finds_and_lists_its_own(acme: Tenant, globex: Tenant, both: list[Suppression]) -> None:
    for tenant, mine in zip((acme, globex), both, strict=True):
        with entered(tenant):
            assert mail_suppressions.find("alice@example.com") == mine
            assert mail_suppressions.every(10) == (mine,)
            assert mail_suppressions.find("bob@example.com") is None


def test_one_lifts_ones_own_and_the_first_counts(
    acme: Tenant, globex: Tenant, both: list[Suppression]
) -> None:
    with entered(acme):
        assert not mail_suppressions.add(replace(both[0], id=uuid7(), status="5.1.2"))
        assert mail_suppressions.remove("alice@example.com") and not mail_suppressions.remove(
            "alice@example.com"
        )
        assert mail_suppressions.every(10) == ()
    with entered(globex):
        assert mail_suppressions.find("alice@example.com") == both[1]
        users.remove(both[1].user_id or uuid7())
        assert mail_suppressions.every(10) == (), "it goes with the person"
