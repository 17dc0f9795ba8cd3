"""People in the vault: what one tenant writes, the other cannot see, change or delete."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from idp.errors import Conflict, Invalid
from idp.store.durable import users
from idp.store.durable.credentials import put_password
from idp.tenants import entered

SAME = UUID("01890a5d-0000-7000-8000-000000000001")
AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def both(twins, database):
    """Dora, once in each tenant, under the very same id and names."""
    for tenant, name in zip(twins, ("Dora of Acme", "Dora of Globex"), strict=True):
        database(
            "INSERT INTO users (tenant_id, id, username, username_norm, username_skeleton, email, email_norm,"
            " email_verified, claims, status, created_at, updated_at) VALUES"
            " (%s, %s, 'dora', 'dora', 'dora', 'dora@example.com', 'dora@example.com', true,"
            " jsonb_build_object('name', %s), 'active', now(), now())",
            str(tenant.id), str(SAME), name,
        )  # fmt: skip
    return twins


def test_add_is_one_tenants(twins):
    acme, globex = twins
    with entered(acme):
        ann = users.add("Ann", email="Ann@Example.com", claims={"name": "Ann"})
        assert (ann.username, ann.active, ann.email_verified) == ("Ann", True, False)
    with entered(globex):
        assert users.by_id(ann.id) is None
        users.add("ann", email="ann@example.com")  # UE08: unique in a tenant only
    with entered(acme):
        assert users.by_id(ann.id) == ann


@pytest.mark.parametrize(
    "taken", [{"username": "ANN"}, {"username": "аnn"}, {"username": "x", "email": "ANN@example.com"}]
)
def test_pa13_names_that_look_alike_are_taken(in_acme, taken):
    users.add("ann", email="ann@example.com")
    if taken["username"] == "аnn":  # Cyrillic а beside Latin letters: refused as a mixture already
        with pytest.raises(Invalid):
            users.add(**taken)
        return
    with pytest.raises(Conflict):
        users.add(**taken)


@pytest.mark.parametrize(
    "wrong", [{"username": ""}, {"username": "a\x00b"}, {"username": "a", "email": "a@@b.example"}]
)
def test_pa03_pa14_names_of_a_wrong_shape_are_refused(in_acme, wrong):
    with pytest.raises(Invalid):
        users.add(**wrong)


def test_by_id_and_by_username_find_ones_own(both):
    for tenant, name in zip(both, ("Dora of Acme", "Dora of Globex"), strict=True):
        with entered(tenant):
            assert users.by_id(SAME).claims["name"] == name
            assert users.by_username("DORA").claims["name"] == name
            assert users.held(SAME).claims["name"] == name
            assert users.by_username("\x00") is None


def test_for_sign_in_reads_name_address_and_secret_of_one_tenant(both):
    acme, globex = both
    with entered(acme):
        put_password(SAME, "hash of acme")
    with entered(globex):
        user, secret = users.for_sign_in("dora", "")
        assert (user.claims["name"], secret) == ("Dora of Globex", None)
        assert users.for_sign_in("", "dora@example.com")[1] is None
    with entered(acme):
        assert users.for_sign_in("", "dora@example.com")[1] == "hash of acme"
        assert users.for_sign_in("nobody", "nobody@example.com") is None
        assert users.for_sign_in("", "") is None
        users.change(SAME, email_verified=False)
        assert users.for_sign_in("", "dora@example.com") is None


def test_a_name_wins_over_anothers_address(in_acme):
    first = users.add("first", email="shared@example.com", email_verified=True)
    second = users.add("shared@example.com")
    assert users.for_sign_in("shared@example.com", "shared@example.com")[0].id == second.id != first.id


def test_change_is_one_tenants(both):
    acme, globex = both
    with entered(globex):
        changed = users.change(SAME, status="disabled", claims={"name": "Changed"}, not_before=AT)
        assert (changed.status, changed.claims, changed.not_before) == ("disabled", {"name": "Changed"}, AT)
        assert changed.updated_at > changed.created_at
        assert users.change(UUID(int=5), status="disabled") is None
    with entered(acme):
        kept = users.by_id(SAME)
        assert (kept.status, kept.claims["name"], kept.not_before) == ("active", "Dora of Acme", None)


def test_change_refuses_what_is_taken(both):
    with entered(both[0]):
        ann = users.add("ann")
        with pytest.raises(Conflict):
            users.change(ann.id, username="dora")
        assert users.by_id(ann.id).username == "ann"


def test_remove_is_one_tenants(both):
    acme, globex = both
    with entered(globex):
        assert users.remove(SAME)
        assert not users.remove(SAME)
    with entered(acme):
        assert users.by_id(SAME) is not None


def test_listed_and_count_are_one_tenants(both):
    acme, globex = both
    with entered(acme):
        before = users.count()
        users.add("zoe")
        assert users.count() == before + 1
        assert [user.username for user in users.listed(after="dora")][-1] == "zoe"
        assert len(users.listed(limit=1)) == 1
    with entered(globex):
        assert users.count() == before
        assert "zoe" not in {user.username for user in users.listed()}


def test_an_address_without_proof_is_found_and_taken_in_one_tenant(twins):
    acme, globex = twins
    ids = []
    for tenant in twins:
        with entered(tenant):
            ids.append(users.add("una", email="una@example.com").id)
            users.add("proved", email="proved@example.com", email_verified=True)
    with entered(acme):
        assert users.without_proof("Una@Example.com") == (ids[0],)
        assert users.without_proof("proved@example.com") == users.without_proof("no address") == ()
        assert not users.take_address(ids[1]) and not users.take_address(users.by_username("proved").id)
        assert users.take_address(ids[0]) and users.without_proof("una@example.com") == ()
        assert users.by_id(ids[0]).email is None
    with entered(globex):
        assert users.without_proof("una@example.com") == (ids[1],)
        assert users.by_id(ids[1]).email == "una@example.com"
