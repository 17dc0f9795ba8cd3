"""What applications that registered themselves hold: each tenant's own, used once, swept up when unused."""

import datetime as dt
from typing import Any
from uuid import UUID

import pytest

from idp import clock
from idp.ids import digest, uuid7
from idp.store.durable import clients, registrations
from idp.store.durable.registrations import InitialToken
from idp.tenants import Tenant, entered

DAY = dt.timedelta(days=1)


def client() -> UUID:
    found = clients.by_client_id("web")
    assert found is not None
    return found.id


def initial(token: str = "t", uses: int | None = 1) -> InitialToken:
    now = clock.now()
    return InitialToken(uuid7(), digest(token), "note", uses, now, now + DAY)


def test_twins_have_their_own_under_one_name(acme: Tenant, globex: Tenant, database: Any) -> None:
    database("UPDATE clients SET settings = settings || '{\"dynamic\": true}'")
    made = {}
    for tenant in (acme, globex):
        with entered(tenant):
            made[tenant.slug] = client(), initial(), registrations.count()
            registrations.add(made[tenant.slug][0], digest(tenant.slug), clock.now())
            registrations.add_initial(made[tenant.slug][1])
    mine, token, _ = made["acme"]
    with entered(globex):
        assert registrations.held(mine) is None
        registrations.renew(mine, digest("stolen"))
        assert registrations.count() == 1
        assert not registrations.drop_initial(token.id)
        assert [each.id for each in registrations.initial_tokens(clock.now())] == [made["globex"][1].id]
        assert registrations.use_initial(token.digest, clock.now()) == made["globex"][1].id
        assert registrations.use_initial(token.digest, clock.now()) is None
        assert registrations.purge_unused(clock.now() + DAY, clock.now()) == 1
        assert registrations.purge_initial(clock.now() + 2 * DAY) == 1
    with entered(acme):
        assert registrations.held(mine) == digest("acme") and registrations.count() == 1
        assert registrations.use_initial(token.digest, clock.now()) == token.id
        registrations.renew(mine, digest("new"))
        assert registrations.held(mine) == digest("new")
        assert registrations.drop_initial(token.id) and registrations.initial_tokens(clock.now()) == ()


@pytest.mark.parametrize(("uses", "times"), [(1, 1), (3, 3), (None, 5)])
def test_an_initial_token_is_used_as_often_as_it_says(acme: Tenant, uses: int | None, times: int) -> None:
    with entered(acme):
        registrations.add_initial(initial(uses=uses))
        used = [registrations.use_initial(digest("t"), clock.now()) is not None for _ in range(5)]
        assert used == [True] * times + [False] * (5 - times)
        assert registrations.use_initial(digest("t"), clock.now() + DAY) is None


def test_each_tenant_counts_its_own_networks(acme: Tenant, globex: Tenant, database: Any) -> None:
    one, other = digest("one network"), digest("another")
    database("UPDATE clients SET settings = settings || '{\"dynamic\": true}'")
    database("DELETE FROM grants")
    with entered(acme):
        registrations.add(client(), digest("a"), clock.now(), one)
        assert (registrations.count(), registrations.count(one), registrations.count(other)) == (1, 1, 0)
        assert (
            registrations.oldest_unused(one) == (client(), "web")
            and registrations.oldest_unused(other) is None
        )
        assert registrations.most_unused() is None, "it holds no second"
        second = clients.by_client_id("spa")
        assert second is not None
        registrations.add(second.id, digest("b"), clock.now(), one)
        assert registrations.most_unused() == one
        database("UPDATE clients SET settings = settings || '{\"dynamic\": false}' WHERE client_id = 'web'")
        assert registrations.oldest_unused(one) == (second.id, "spa"), "somebody vouches for the first"
    with entered(globex):
        assert registrations.count(one) == 0 and registrations.oldest_unused(one) is None
        assert registrations.most_unused() is None


def test_only_the_unused_go(acme: Tenant, database: Any) -> None:
    database("UPDATE clients SET settings = settings || '{\"dynamic\": true}'")
    with entered(acme):
        registrations.add(client(), digest("x"), clock.now() - 2 * DAY)
        database("UPDATE clients SET settings = settings || '{\"dynamic\": false}'")
        assert registrations.purge_unused(clock.now(), clock.now()) == 0, "an operator vouches for it"
        database("UPDATE clients SET settings = settings || '{\"dynamic\": true}'")
        database(
            "INSERT INTO activity (tenant_id, id, client_id, kind, scopes, count, at) "
            f"VALUES ('{acme.id}', '{uuid7()}', '{client()}', 'client_credentials', '{{}}', 1, now())"
        )
        assert registrations.purge_unused(clock.now() - DAY, clock.now()) == 0
        database("DELETE FROM activity")
        assert registrations.purge_unused(clock.now() - DAY, clock.now()) == 0, "it is marked as used"
        database("UPDATE registrations SET used_at = NULL")
        assert registrations.purge_unused(clock.now() - 3 * DAY, clock.now()) == 0, "it is young"
        assert registrations.purge_unused(clock.now() - DAY, clock.now()) == 1
        assert clients.by_client_id("web") is None


def test_one_that_describes_itself_goes_when_nothing_of_it_is_in_use(
    acme: Tenant, globex: Tenant, database: Any
) -> None:
    for tenant in (acme, globex):
        with entered(tenant):
            registrations.add(client(), digest("x"), clock.now() - 2 * DAY)
    database("DELETE FROM grants")
    with entered(acme):
        assert registrations.purge_described(clock.now()) == 0, "it registered itself"
    settings = '{"metadata_document": true, "dynamic": %s}'
    database("UPDATE clients SET settings = %s::jsonb", settings % "false")
    with entered(acme):
        assert registrations.purge_described(clock.now()) == 0, "an operator vouches for it"
    database("UPDATE clients SET settings = %s::jsonb", settings % "true")
    with entered(globex):
        assert registrations.purge_described(clock.now() - 3 * DAY) == 0, "it is young"
        assert registrations.purge_described(clock.now() - DAY) == 1
        assert clients.by_client_id("web") is None
    with entered(acme):
        assert clients.by_client_id("web") is not None, "that of another tenant"
        assert registrations.purge_described(clock.now() - DAY) == 1
