"""Password hashes in the vault, tenant by tenant."""

from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from idp.store.durable import credentials, users
from idp.tenants import entered

SAME = UUID("01890a5d-0000-7000-8000-000000000002")


@pytest.fixture
def both(twins, database):
    """Dora, once in each tenant, under the very same id."""
    for tenant in twins:
        database(
            "INSERT INTO users (tenant_id, id, username, username_norm, username_skeleton, email_verified, claims,"
            " status, created_at, updated_at) VALUES (%s, %s, 'dora', 'dora', 'dora', false, '{}', 'active', now(),"
            " now())",
            str(tenant.id), str(SAME),
        )  # fmt: skip
    return twins


def test_put_and_read_are_one_tenants(both):
    acme, globex = both
    with entered(acme):
        credentials.put_password(SAME, "first", b"source")
        assert (credentials.password_of(SAME), credentials.password_source(SAME)) == ("first", b"source")
    with entered(globex):
        assert (credentials.password_of(SAME), credentials.password_source(SAME)) == (None, None)
        credentials.put_password(SAME, "of globex")
    with entered(acme):
        assert credentials.password_of(SAME) == "first"
        credentials.put_password(SAME, "second")
        assert (credentials.password_of(SAME), credentials.password_source(SAME)) == ("second", None)
    with entered(globex):
        assert credentials.password_of(SAME) == "of globex"


def test_put_for_another_tenants_user_is_as_for_nobody(twins):
    acme, globex = twins
    with entered(acme):
        only_here = users.add("only-here").id
    with entered(globex):
        for stranger in (only_here, UUID(int=7)):
            with pytest.raises(IntegrityError, match="is not present in table"):
                credentials.put_password(stranger, "stolen")
    with entered(acme):
        assert credentials.password_of(only_here) is None


def test_renew_replaces_only_what_was_verified(both):
    acme, globex = both
    for tenant in both:
        with entered(tenant):
            credentials.put_password(SAME, "old", b"source")
    with entered(acme):
        assert not credentials.renew_password(SAME, "changed meanwhile", "new")
        assert credentials.renew_password(SAME, "old", "new")
        assert (credentials.password_of(SAME), credentials.password_source(SAME)) == ("new", b"source")
    with entered(globex):
        assert credentials.password_of(SAME) == "old"


def test_remove_is_one_tenants(both):
    acme, globex = both
    for tenant in both:
        with entered(tenant):
            credentials.put_password(SAME, "secret")
    with entered(globex):
        assert credentials.remove_password(SAME)
        assert not credentials.remove_password(SAME)
    with entered(acme):
        assert credentials.password_of(SAME) == "secret"


def test_when_a_password_was_set_is_one_tenants(both):
    acme, globex = both
    with entered(acme):
        assert credentials.password_changed(SAME) is None
        credentials.put_password(SAME, "first")
        first = credentials.password_changed(SAME)
        assert first is not None
        credentials.put_password(SAME, "second")
        assert credentials.password_changed(SAME) > first
    with entered(globex):
        assert credentials.password_changed(SAME) is None


def test_whether_hashes_of_others_are_left_is_one_tenants(both):
    acme, globex = both
    with entered(acme):
        credentials.put_password(SAME, "$2b$10$abc")
        assert credentials.has_imported()
    with entered(globex):
        assert not credentials.has_imported()
        credentials.put_password(SAME, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA")
        assert not credentials.has_imported()
        credentials.put_password(SAME, "$argon2id$v=19$m=262144,t=2,p=1$c2FsdA$aGFzaA")
        assert credentials.has_imported()


def test_an_approval_code_is_one_tenants_and_no_password(both):
    acme, globex = both
    with entered(acme):
        credentials.put_user_code(SAME, "code")
        assert credentials.user_code_of(SAME) == "code" and credentials.password_of(SAME) is None
    with entered(globex):
        assert credentials.user_code_of(SAME) is None and not credentials.remove_user_code(SAME)
        credentials.put_user_code(SAME, "of globex")
    with entered(acme):
        credentials.put_user_code(SAME, "another")
        assert credentials.user_code_of(SAME) == "another"
        assert not credentials.remove_password(SAME)
        assert credentials.remove_user_code(SAME) and credentials.user_code_of(SAME) is None
    with entered(globex):
        assert credentials.user_code_of(SAME) == "of globex"
