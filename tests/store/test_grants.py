"""What a code became, in the vault: what acme grants, globex cannot see, burn, prolong or revoke."""

import datetime as dt
from dataclasses import replace

import pytest

from idp import clock
from idp.ids import digest, uuid7
from idp.store.durable import clients, grants, users
from idp.store.durable.grants import Grant, RefreshToken
from idp.tenants import entered

HOUR = dt.timedelta(hours=1)


def make(offline=False, code="code", **changes):
    """A grant of the entered tenant's alice to its client `web`."""
    now = clock.now()
    made = Grant(
        uuid7(), digest(code), users.by_username("alice").id, clients.by_client_id("web").id, None, ("openid",), (),
        {}, "1", ("pwd",), now, offline, now, now + HOUR,
    )  # fmt: skip
    return replace(made, **changes)


def token(grant, generation=0, text="token"):
    now = clock.now()
    return RefreshToken(uuid7(), grant.id, digest(f"{text}-{generation}"), generation, now, None, now + HOUR)


@pytest.fixture
def both(acme, globex):
    """The same code, grant id and refresh token in both tenants."""
    made = []
    for tenant in (acme, globex):
        with entered(tenant):
            grant = make(id=made[0][0].id) if made else make()
            first = token(grant)
            assert grants.add(grant)
            grants.add_refresh(first if not made else replace(first, id=made[0][1].id))
            made.append((grant, first if not made else replace(first, id=made[0][1].id)))
    return made


def test_twins_have_their_own_grant_under_one_id_and_code(acme, globex, both):
    for tenant, (grant, first) in zip((acme, globex), both, strict=True):
        with entered(tenant):
            assert grants.by_id(grant.id) == grants.by_code(grant.code_digest) == grant
            for held in (False, True):
                assert grants.by_refresh(first.digest, held=held) == (first, grant)
    assert both[0][0].user_id != both[1][0].user_id


def test_what_a_grant_is_bound_to_is_kept_with_it(acme):
    with entered(acme):
        for number, cnf in enumerate((None, {"jkt": "x" * 43})):
            grant = make(code=f"bound-{number}", cnf=cnf)
            assert grants.add(grant) and grants.by_id(grant.id) == grant and grant.cnf == cnf


def test_what_came_from_a_grant_ends_with_it_and_only_there(acme, globex):
    made = {}
    for tenant in (acme, globex):
        with entered(tenant):
            first = make(code="first", act=None)
            second = make(code="second", parent_id=first.id, act={"sub": "service"})
            third = make(code="third", parent_id=second.id, act={"sub": "other", "act": {"sub": "service"}})
            assert all(map(grants.add, (first, second, third)))
            assert grants.by_id(third.id) == third and grants.stands(third.id)
            made[tenant] = first, second, third
    with entered(acme):
        assert grants.revoke(made[acme][0].id, "test")
        assert not any(grants.stands(each.id) for each in made[acme])
    with entered(globex):
        assert all(grants.stands(each.id) for each in made[globex])
        with pytest.raises(Exception, match="foreign key"):
            grants.add(make(code="astray", parent_id=made[acme][0].id))


def test_what_globex_alone_has_is_nothing_in_acme(acme, globex):
    with entered(globex):
        grant = make(code="theirs", offline=True)
        assert grants.add(grant)
        first = token(grant, text="theirs")
        grants.add_refresh(first)
        grants.add_refresh(token(grant, 1, "theirs"))
        grants.revoke_token("their-jti", clock.now() + HOUR)
    with entered(acme):
        assert grants.by_id(grant.id) is None
        assert grants.by_code(grant.code_digest) is None
        assert grants.by_refresh(first.digest, held=True) is None
        assert grants.successor(grant.id, 0) is None
        assert not grants.consume(first.id, clock.now())
        grants.prolong(first.id, clock.now() + 24 * HOUR)
        assert not grants.revoke(grant.id, "x") and not grants.stands(grant.id)
        assert grants.revoke_of_user(grant.user_id, "x") == 0
        assert grants.revoke_in_sessions(grant.user_id, "x") == 0
        assert grants.offline_clients(grant.user_id, clock.now()) == ()
        assert not grants.token_revoked("their-jti")
        assert grants.purge(clock.now() + 48 * HOUR) == 0
    with entered(globex):
        assert grants.by_refresh(first.digest, held=False) == (first, grant)
        assert grants.successor(grant.id, 0).generation == 1
        assert grants.offline_clients(grant.user_id, clock.now()) == (grant.client_id,)
        assert grants.token_revoked("their-jti")


def test_a_refresh_token_cannot_hang_on_another_tenants_grant(acme, globex):
    with entered(globex):
        grant = make()
        assert grants.add(grant)
    with entered(acme), pytest.raises(Exception, match="foreign key"):
        grants.add_refresh(token(grant))


def test_a_client_that_is_disabled_stands_behind_nothing_in_its_own_tenant(acme, globex, both, database):
    web = both[0][0].client_id
    database(
        "UPDATE clients SET status = 'disabled' WHERE tenant_id = %s AND id = %s", str(acme.id), str(web)
    )
    with entered(acme):
        assert not grants.client_stands(web)
        assert grants.by_id(both[0][0].id) is None
        assert grants.by_refresh(both[0][1].digest, held=True) is None
    with entered(globex):
        assert not grants.client_stands(web)
        assert grants.client_stands(both[1][0].client_id)
        assert grants.by_id(both[1][0].id) is not None


def test_a_code_becomes_one_grant(in_acme):
    assert grants.add(make())
    assert not grants.add(make())


def test_a_refresh_token_is_consumed_once_and_only_here(acme, globex, both):
    at = clock.now()
    with entered(acme):
        assert grants.consume(both[0][1].id, at)
        assert not grants.consume(both[0][1].id, at)
        assert grants.by_refresh(both[0][1].digest, held=False)[0].consumed_at == at
    with entered(globex):
        assert grants.by_refresh(both[1][1].digest, held=False)[0].consumed_at is None
        assert grants.consume(both[1][1].id, at)


def test_prolonging_moves_only_ones_own(acme, globex, both):
    later = clock.now() + 5 * HOUR
    with entered(acme):
        grants.prolong(both[0][1].id, later)
        assert grants.by_refresh(both[0][1].digest, held=False)[0].expires_at == later
    with entered(globex):
        assert grants.by_refresh(both[1][1].digest, held=False)[0].expires_at == both[1][1].expires_at


def test_the_successor_is_of_the_same_family(acme, globex, both):
    with entered(acme):
        assert grants.successor(both[0][0].id, 0) is None
        grants.add_refresh(token(both[0][0], 1))
        assert grants.successor(both[0][0].id, 0).digest == digest("token-1")
        assert grants.successor(both[0][0].id, 1) is None
    with entered(globex):
        assert grants.successor(both[1][0].id, 0) is None


def test_revoking_ends_only_ones_own(acme, globex, both):
    with entered(acme):
        assert grants.revoke(both[0][0].id, "code replayed")
        assert not grants.revoke(both[0][0].id, "again")
        assert grants.by_id(both[0][0].id).revoked_reason == "code replayed"
    with entered(globex):
        assert grants.by_id(both[1][0].id).revoked_at is None
        assert grants.revoke_of_user(both[1][0].user_id, "left", uuid7()) == 0
        assert grants.revoke_of_user(both[1][0].user_id, "left", both[1][0].client_id) == 1


def test_what_ends_with_a_session_is_revoked_with_it_and_offline_access_is_not(acme, globex, database):
    session = uuid7()
    made = {}
    for tenant in (acme, globex):
        with entered(tenant):
            user = users.by_username("alice").id
            database(
                "INSERT INTO sessions (tenant_id, id, digest, sid, user_id, auth_time, amr, acr, created_at,"
                " last_seen_at, expires_at) VALUES (%s, %s, 'd', 's', %s, now(), '{}', '1', now(), now(), now())",
                str(tenant.id), str(session), str(user),
            )  # fmt: skip
            made[tenant.slug] = [make(code=f"c{n}", offline=bool(n), session_id=session) for n in range(2)]
            assert all(grants.add(grant) for grant in made[tenant.slug])
    with entered(acme):
        assert grants.revoke_of_session(session, "signed out") == 1
        assert grants.revoke_of_session(session, "signed out") == 0
        ended, lasting = (grants.by_id(grant.id) for grant in made["acme"])
        assert ended.revoked_at is not None and lasting.revoked_at is None
        assert grants.offline_clients(lasting.user_id, clock.now()) == (lasting.client_id,)
        assert grants.offline_clients(lasting.user_id, lasting.expires_at) == ()
    with entered(globex):
        assert grants.by_id(made["globex"][0].id).revoked_at is None


def test_a_revoked_token_is_revoked_here_alone(acme, globex):
    with entered(acme):
        grants.revoke_token("jti", clock.now() + HOUR)
        grants.revoke_token("jti", clock.now() + HOUR)
        assert grants.token_revoked("jti") and not grants.token_revoked("other")
    with entered(globex):
        assert not grants.token_revoked("jti")


def test_purging_takes_only_ones_own_and_only_what_has_ended(acme, globex, both):
    with entered(acme):
        grants.revoke_token("jti", clock.now() - HOUR)
        assert grants.purge(clock.now()) == 1
        assert grants.by_id(both[0][0].id) is not None
        assert grants.purge(clock.now() + 2 * HOUR) == 1
        assert grants.by_id(both[0][0].id) is None
    with entered(globex):
        assert grants.by_refresh(both[1][1].digest, held=False) is not None


def test_what_clients_have_of_a_person_is_told_in_their_tenant(acme, globex, both):
    with entered(acme):
        alice, web = users.by_username("alice").id, clients.by_client_id("web").id
        later = make(code="later", scopes=("email",), offline=True, created_at=clock.now() + HOUR / 2)
        over = make(code="over", scopes=("profile",), expires_at=clock.now() - HOUR)
        ended = make(code="ended", scopes=("phone",))
        for grant in (later, over, ended):
            assert grants.add(grant)
        grants.revoke(ended.id, "test")
        [access] = grants.accesses(alice, clock.now())
        assert (access.client_id, access.scopes, access.offline) == (web, {"openid", "email"}, True)
        assert access.since == both[0][0].created_at
    with entered(globex):
        assert grants.accesses(alice, clock.now()) == ()
        [theirs] = grants.accesses(users.by_username("alice").id, clock.now())
        assert theirs.scopes == {"openid"} and not theirs.offline
