"""Clients in the vault: what acme writes, globex cannot see, change or delete, although it has the very same names."""

import datetime as dt
from dataclasses import replace

import pytest

from idp import clock, ids
from idp.errors import Conflict
from idp.store.durable import clients
from idp.store.durable.clients import Client, ClientSecret
from idp.tenants import entered


def make(client_id="shop", secret="s" * 43, id_=None):
    at = clock.now()
    kept = ClientSecret(ids.uuid7(), ids.digest(secret), None, None, at)
    metadata = {
        "redirect_uris": ["https://app.test/cb"],
        "grant_types": ["authorization_code"],
        "scope": "openid a",
    }
    return Client(id_ or ids.uuid7(), client_id, metadata, {}, "active", at, at, (kept,))


@pytest.fixture
def both(acme, globex):
    """A client of one name and one id in both tenants."""
    ours, theirs = make(secret="acme" * 10), make(secret="globex" * 10)
    theirs = make(secret="globex" * 10, id_=ours.id)
    for tenant, client in ((acme, ours), (globex, theirs)):
        with entered(tenant):
            clients.create(client)
    return ours, theirs


def test_what_is_written_is_read(acme, both):
    ours, _ = both
    with entered(acme):
        assert clients.by_client_id("shop") == ours
        assert clients.by_id(ours.id) == ours
        assert ours in clients.every()
        assert ours in clients.all_clients()


def test_twins_have_their_own(acme, globex, both):
    ours, theirs = both
    with entered(globex):
        assert clients.by_client_id("shop") == theirs
        assert clients.by_id(ours.id) == theirs
        assert ours not in clients.every()
        assert clients.by_client_id("shop").secret_matches("globex" * 10, clock.now())
        assert not clients.by_client_id("shop").secret_matches("acme" * 10, clock.now())


def test_create_is_refused_for_a_taken_name_and_leaves_the_transaction_alive(acme, both):
    with entered(acme):
        with pytest.raises(Conflict):
            clients.create(make())
        clients.create(make("other"))
        assert clients.by_client_id("other")


def test_update_reaches_one_tenant_only(acme, globex, both):
    from dataclasses import replace

    ours, theirs = both
    with entered(globex):
        assert clients.update(replace(theirs, status="suspended"))
        assert not clients.update(make("not there"))
    with entered(acme):
        assert clients.by_client_id("shop").active
        assert clients.update(replace(ours, settings={"require_consent": False}))
        assert clients.by_client_id("shop").setting("require_consent") is False
    with entered(globex):
        assert clients.by_client_id("shop").setting("require_consent") is True
        assert not clients.by_client_id("shop").active


def test_delete_reaches_one_tenant_only(acme, globex, both):
    ours, theirs = both
    with entered(globex):
        assert clients.delete(theirs.id)
        assert clients.by_client_id("shop") is None
        assert not clients.delete(theirs.id)
    with entered(acme):
        assert clients.by_client_id("shop") == ours


@pytest.mark.parametrize("only_in", ["acme", "globex"])
def test_what_only_one_has_the_other_cannot_reach(acme, globex, only_in):
    owner, stranger = (acme, globex) if only_in == "acme" else (globex, acme)
    client = make("alone")
    with entered(owner):
        clients.create(client)
    with entered(stranger):
        assert clients.by_client_id("alone") is None
        assert clients.by_id(client.id) is None
        assert not clients.update(client)
        assert not clients.delete(client.id)
        assert not clients.drop_secret(client.secrets[0].id)
        assert not clients.end_secret(client.secrets[0].id, clock.now())
    with entered(owner):
        assert clients.by_client_id("alone") == client
        assert clients.delete(client.id)


def test_secrets_belong_to_their_tenant(acme, globex, both):
    ours, _ = both
    later = clock.now() + dt.timedelta(days=1)
    with entered(acme):
        second = ClientSecret(ids.uuid7(), ids.digest("second" * 8), b"source", later, clock.now())
        clients.add_secret(ours.id, second)
        assert [secret.id for secret in clients.by_client_id("shop").secrets] == [
            ours.secrets[0].id,
            second.id,
        ]
    with entered(globex):
        assert len(clients.by_client_id("shop").secrets) == 1
        assert not clients.end_secret(second.id, clock.now())
        assert not clients.drop_secret(second.id)
    with entered(acme):
        client = clients.by_client_id("shop")
        assert client.secret_matches("second" * 8, clock.now())
        assert not client.secret_matches("second" * 8, later)  # CA18
        assert clients.end_secret(second.id, clock.now() - dt.timedelta(seconds=1))
        assert not clients.by_client_id("shop").secret_matches("second" * 8, clock.now())
        assert clients.drop_secret(second.id)
        assert clients.by_client_id("shop").secret_matches("acme" * 10, clock.now())


def test_ca07_a_secret_of_nobody_cannot_be_added_to_a_client_of_another_tenant(acme, globex):
    from sqlalchemy.exc import IntegrityError

    client = make("alone")
    with entered(acme):
        clients.create(client)
    with entered(globex), pytest.raises(IntegrityError):
        clients.add_secret(client.id, make().secrets[0])


def test_lists_are_pages(acme):
    with entered(acme):
        for number in range(5):
            clients.create(make(f"page{number}"))
        first = clients.all_clients(limit=2, after="page")
        assert [client.client_id for client in first] == ["page0", "page1"]
        assert [client.client_id for client in clients.all_clients(limit=9, after="page1")][:3] == [
            "page2", "page3", "page4",
        ]  # fmt: skip


def test_the_directory_is_told(acme, database):
    def version():
        return database("SELECT version FROM tenants WHERE id = %s", str(acme.id))[0][0]

    before = version()
    with entered(acme):
        clients.create(make("told"))
    assert version() > before


def test_whether_anyone_may_use_a_grant_is_one_tenants(acme, globex, both):
    made = make("elsewhere")
    made.metadata["grant_types"].append("a grant of its own")
    with entered(acme):
        assert not clients.anyone_may("a grant of its own")
        clients.create(made)
        assert clients.anyone_may("a grant of its own")
    with entered(globex):
        assert not clients.anyone_may("a grant of its own")
        assert clients.anyone_may("authorization_code")


def test_what_stands_for_an_application_is_each_tenants_own(acme, globex):
    with entered(acme):
        assert clients.by_client_id("web").application is None
        clients.create(replace(make("suite"), application=ids.uuid7()))
        assert [each.client_id for each in clients.of_applications()] == ["suite"]
    with entered(globex):
        assert clients.of_applications() == ()
