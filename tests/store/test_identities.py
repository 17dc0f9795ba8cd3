"""Identities: a pair of issuer and subject is one person's, and only within a tenant."""

from idp import clock
from idp.ids import uuid7
from idp.store.durable import identities, upstreams, users
from idp.store.durable.upstreams import Upstream
from idp.store.durable.users import User
from idp.tenants import Tenant, entered

ISSUER = "https://id.example"


def upstream() -> Upstream:
    at = clock.now()
    made = Upstream(uuid7(), "corp", "openid", ISSUER, "us", None, None, None, "active", {}, at, at)
    upstreams.add(made)
    return made


def person(name: str = "alice") -> User:
    found = users.by_username(name)
    assert found is not None
    return found


def test_twins_know_the_same_subject_as_people_of_their_own(acme: Tenant, globex: Tenant) -> None:
    with entered(acme):
        corp, alice = upstream(), person()
        mine = identities.link(corp.id, alice.id, ISSUER, "s1", "alice@id.example")
        assert mine is not None and identities.find(ISSUER, "s1") == mine
    with entered(globex):
        assert identities.find(ISSUER, "s1") is None
        assert identities.of_user(alice.id) == () and identities.people_of(corp.id) == ()
        assert not identities.used(mine.id, "stolen") and not identities.unlink(mine.id, alice.id)
        theirs = identities.link(upstream().id, person().id, ISSUER, "s1", "theirs")
        assert theirs is not None and theirs.user_id != mine.user_id
    with entered(acme):
        assert identities.of_user(alice.id) == (mine,) and identities.people_of(corp.id) == (alice.id,)
        assert identities.used(mine.id, "new name")
        assert [each.shown for each in identities.of_user(alice.id)] == ["new name"]
        assert not identities.unlink(mine.id, person("bob").id)
        assert identities.unlink(mine.id, alice.id) and identities.find(ISSUER, "s1") is None


def test_a_subject_is_one_persons_and_goes_with_its_upstream_and_its_person(in_acme: Tenant) -> None:
    corp, alice, bob = upstream(), person(), person("bob")
    assert identities.link(corp.id, alice.id, ISSUER, "s1", "a") is not None
    assert identities.link(corp.id, bob.id, ISSUER, "s1", "b") is None
    assert identities.link(corp.id, bob.id, ISSUER, "s2", "b") is not None
    users.remove(bob.id)
    assert identities.find(ISSUER, "s2") is None
    upstreams.remove(corp.id)
    assert identities.find(ISSUER, "s1") is None
