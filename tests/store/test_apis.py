"""APIs in the vault, with their grants: twins share identifiers and see only their own."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from idp import clock, ids
from idp.errors import Conflict
from idp.store.durable import apis, clients
from idp.store.durable.apis import Api
from idp.tenants import entered

URL = "https://stock.test"


def make(identifier=URL, id_=None, **scopes):
    return Api(id_ or ids.uuid7(), identifier, "Stock", scopes or {"stock.read": "Read"}, {}, clock.now(), {})


@pytest.fixture
def both(acme, globex):
    ours = make()
    theirs = replace(make(id_=ours.id), name="Stock of Globex")
    for tenant, api in ((acme, ours), (globex, theirs)):
        with entered(tenant):
            apis.create(api)
    return ours, theirs


def test_what_is_written_is_read(acme, globex, both):
    ours, theirs = both
    for tenant, api in ((acme, ours), (globex, theirs)):
        with entered(tenant):
            assert apis.by_identifier(URL) == api
            assert apis.by_id(ours.id) == api
            assert api in apis.every()
            assert api in apis.all_apis()
            with pytest.raises(Conflict):
                apis.create(make())


def test_update_and_delete_reach_one_tenant_only(acme, globex, both):
    ours, theirs = both
    with entered(globex):
        assert apis.update(replace(theirs, settings={"typ": "JWT"}))
        assert apis.by_identifier(URL).typ == "JWT"
    with entered(acme):
        assert apis.by_identifier(URL) == ours
        assert apis.delete(ours.id)
        assert not apis.delete(ours.id)
        assert not apis.update(ours)
    with entered(globex):
        assert apis.by_identifier(URL).typ == "JWT"


def test_what_only_acme_has_globex_cannot_reach(acme, globex):
    api = make("https://alone.test")
    with entered(acme):
        apis.create(api)
        web = clients.by_client_id("web")
        apis.grant(api.id, web.id, ("stock.read",))
    with entered(globex):
        assert apis.by_identifier("https://alone.test") is None
        assert apis.by_id(api.id) is None
        assert not apis.update(api)
        assert not apis.delete(api.id)
        assert not apis.ungrant(api.id, web.id)
    with entered(acme):
        assert apis.by_id(api.id).grants == {web.id: ("stock.read",)}


def test_grants_belong_to_their_tenant(acme, globex, both):
    ours, _ = both
    with entered(acme):
        web = clients.by_client_id("web")
        apis.grant(ours.id, web.id, ("stock.read",))
        apis.grant(ours.id, web.id, ("stock.read", "stock.write"))
        assert apis.by_id(ours.id).grants == {web.id: ("stock.read", "stock.write")}
    with entered(globex):
        assert apis.by_id(ours.id).grants == {}
        with pytest.raises(IntegrityError):  # a client of acme
            apis.grant(ours.id, web.id, ("stock.read",))
        assert not apis.ungrant(ours.id, web.id)
    with entered(acme):
        assert apis.ungrant(ours.id, web.id)
        assert not apis.ungrant(ours.id, web.id)


def test_a_deleted_client_takes_its_grants_along(acme, both):
    ours, _ = both
    with entered(acme):
        web = clients.by_client_id("web")
        apis.grant(ours.id, web.id, ("stock.read",))
        clients.delete(web.id)
        assert apis.by_id(ours.id).grants == {}
