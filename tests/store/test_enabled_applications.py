"""What a tenant is to have of the platform's applications: its own rows, which operators write."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from idp import clock
from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable import applications, enabled_applications
from idp.store.durable.applications import Application
from idp.store.durable.clients import Client, ClientSecret
from idp.tenants import Tenant, entered


def registered(name: str = "suite", **metadata: str) -> Application:
    at, own = clock.now(), uuid7()
    secrets = (
        ClientSecret(uuid7(), b"digest", None, at + timedelta(days=1), at),
        ClientSecret(uuid7(), b"other", b"source", None, at),
    )
    made = Application(Client(own, name, metadata, {"claims": []}, "active", at, at, secrets, own))
    assert applications.add(made)
    return made


def test_a_tenant_sees_what_it_is_to_have_and_nothing_of_the_others(acme: Tenant, globex: Tenant) -> None:
    mine, theirs = registered(client_name="Suite"), registered("other")
    assert not applications.add(mine)
    applications.switch(mine, {acme.id}, on=True)
    applications.switch(theirs, {globex.id}, on=True)
    with entered(acme):
        (wanted,) = enabled_applications.every()
        assert (wanted.application, wanted.client_id, wanted.active) == (mine.client.id, "suite", True)
        assert (wanted.metadata, wanted.secrets) == (mine.client.metadata, mine.client.secrets)
    with entered(globex):
        assert [each.client_id for each in enabled_applications.every()] == ["other"]
    assert applications.by_client_id("suite") == mine
    assert applications.enabled(mine.client.id) == {acme.id: True}


def test_everywhere_is_every_tenant_but_those_that_were_taken_out(acme: Tenant, globex: Tenant) -> None:
    made = registered()
    applications.switch_everywhere(made, on=True)
    applications.switch(made, {globex.id}, on=False)
    assert applications.enabled(made.client.id) == {acme.id: True, globex.id: False}
    applications.arrive(globex.id)
    with entered(globex):
        assert [each.active for each in enabled_applications.every()] == [False]
    applications.remove(made.client.id)
    with entered(acme):
        assert enabled_applications.every() == ()


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE enabled_applications SET status = 'active'",
        "DELETE FROM enabled_applications",
        "INSERT INTO enabled_applications SELECT * FROM enabled_applications",
        "SELECT * FROM applications",
    ],
)
def test_a_tenant_writes_none_of_it_and_reads_no_list(in_acme: Tenant, words: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), transaction() as tx:
        tx.execute(text(words))
