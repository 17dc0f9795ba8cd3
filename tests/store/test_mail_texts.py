"""A tenant's own words in the vault: what acme says, globex cannot find, list, replace or remove."""

from dataclasses import replace

import pytest

from idp import clock
from idp.ids import uuid7
from idp.store.durable import mail_texts
from idp.store.durable.mail_texts import Words
from idp.tenants import Tenant, entered


@pytest.fixture
def both(acme: Tenant, globex: Tenant) -> list[Words]:
    """The same kind, language and id in both tenants."""
    made: list[Words] = []
    for tenant in (acme, globex):
        with entered(tenant):
            one = Words(
                made[0].id if made else uuid7(), "leaving", "de", {"subject": tenant.name}, clock.now()
            )
            mail_texts.put(one)
            made.append(one)
    return made


def test_each_finds_lists_and_replaces_its_own(acme: Tenant, globex: Tenant, both: list[Words]) -> None:
    with entered(acme):
        assert mail_texts.find("leaving", "de") == both[0] and mail_texts.find("leaving", "en") is None
        mail_texts.put(replace(both[0], id=uuid7(), parts={"text": "Bye"}))
        assert [(each.id, each.parts) for each in mail_texts.every()] == [(both[0].id, {"text": "Bye"})]
    with entered(globex):
        assert mail_texts.find("leaving", "de") == both[1] and mail_texts.every() == (both[1],)


def test_one_removes_ones_own(acme: Tenant, globex: Tenant, both: list[Words]) -> None:
    with entered(acme):
        assert not mail_texts.remove("leaving", "en")
        assert mail_texts.remove("leaving", "de") and not mail_texts.remove("leaving", "de")
        assert mail_texts.every() == ()
    with entered(globex):
        assert mail_texts.find("leaving", "de") == both[1]
