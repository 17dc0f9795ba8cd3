"""Consent in the vault and as a room decides on it."""

import threading
from uuid import UUID

import pytest

from idp.accounts import consent
from idp.tenants import entered

USER = UUID("01890a5d-0000-7000-8000-000000000003")
CLIENT = UUID("01890a5d-0000-7000-8000-000000000004")


@pytest.fixture
def both(twins, database):
    """Dora and the client `shop`, once in each tenant, under the very same ids."""
    for tenant in twins:
        database(
            "INSERT INTO users (tenant_id, id, username, username_norm, username_skeleton, email_verified, claims,"
            " status, created_at, updated_at) VALUES (%s, %s, 'dora', 'dora', 'dora', false, '{}', 'active', now(),"
            " now())",
            str(tenant.id), str(USER),
        )  # fmt: skip
        database(
            "INSERT INTO clients (tenant_id, id, client_id, metadata, settings, status, created_at, updated_at)"
            " VALUES (%s, %s, 'shop', '{}', '{}', 'active', now(), now())",
            str(tenant.id), str(CLIENT),
        )  # fmt: skip
    return twins


def test_what_one_tenants_user_allowed_is_nothing_in_the_other(both):
    acme, globex = both
    with entered(acme):
        consent.remember(USER, CLIENT, ["openid", "profile"])
        assert consent.remembered(USER, CLIENT, ["profile"])
        assert not consent.remembered(USER, CLIENT, ["profile", "email"])
    with entered(globex):
        assert not consent.remembered(USER, CLIENT, ["profile"])
        assert consent.given_by(USER) == ()
        assert not consent.revoke(USER, CLIENT)
        consent.remember(USER, CLIENT, ["email"])
        assert consent.revoke(USER, CLIENT)
    with entered(acme):
        assert consent.remembered(USER, CLIENT, ["openid", "profile"])
        [only] = consent.given_by(USER)
        assert (only.client_id, only.scopes) == (CLIENT, {"openid", "profile"})
        assert consent.revoke(USER, CLIENT)
        assert not consent.remembered(USER, CLIENT, ["openid"])


def test_forgetting_a_client_forgets_one_tenants(both):
    for tenant in both:
        with entered(tenant):
            consent.remember(USER, CLIENT, ["openid"])
    with entered(both[1]):
        consent.forget(CLIENT)
        assert not consent.remembered(USER, CLIENT, ["openid"])
    with entered(both[0]):
        assert consent.remembered(USER, CLIENT, ["openid"])


def test_what_was_allowed_before_stays_allowed(both):
    with entered(both[0]):
        consent.remember(USER, CLIENT, ["openid", "profile"])
        consent.remember(USER, CLIENT, ["openid", "email"])
        assert consent.remembered(USER, CLIENT, ["openid", "profile", "email"])
        assert len(consent.given_by(USER)) == 1


def test_two_at_once_lose_nothing(both):
    start = threading.Barrier(8)

    def allow(scope):
        with entered(both[0]):
            start.wait(5)
            consent.remember(USER, CLIENT, [scope])

    scopes = [f"scope-{number}" for number in range(8)]
    threads = [threading.Thread(target=allow, args=(scope,)) for scope in scopes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    with entered(both[0]):
        assert consent.remembered(USER, CLIENT, scopes)
