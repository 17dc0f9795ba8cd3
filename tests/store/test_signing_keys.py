"""Signing keys in Postgres: written by one tenant, not there for the other."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from idp import clock
from idp.signing import cache, envelope, jwks, keys, ring, rotation
from idp.store.database import transaction
from idp.store.durable import signing_keys
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Tenant, entered

HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    cache.forget()
    yield
    cache.forget()


def a_key(kid: str = "same") -> SigningKey:
    now = clock.now().replace(microsecond=0)
    return SigningKey(uuid4(), kid, "ES256", {"kty": "EC"}, b"sealed", "ring", now, now, now + HOUR)


def kids() -> set[str]:
    return {row.kid for row in signing_keys.all_keys()}


def test_what_is_added_is_read_again(acme: Tenant) -> None:
    with entered(acme):
        key = a_key()
        signing_keys.add(key)
        assert key in signing_keys.all_keys()


def test_another_tenant_neither_sees_nor_changes_nor_deletes(twins: tuple[Tenant, Tenant]) -> None:
    acme, globex = twins
    with entered(acme):
        key = a_key()
        signing_keys.add(key)
    with entered(globex):
        assert key.kid not in kids()
        assert not signing_keys.reschedule(key.id, revoked_at=clock.now())
        assert not signing_keys.reseal(key.id, b"", "")
        assert signing_keys.remove([key.id]) == 0
        twin = a_key()
        signing_keys.add(twin)  # the same kid is free here
        assert signing_keys.reschedule(twin.id, retire_at=clock.now())
    with entered(acme):
        assert key in signing_keys.all_keys()
        assert signing_keys.reschedule(key.id, revoked_at=key.created_at)
        assert signing_keys.reseal(key.id, b"other", "ring2")
        (now,) = [row for row in signing_keys.all_keys() if row.id == key.id]
        assert (now.revoked_at, now.sealed, now.kek_id) == (key.created_at, b"other", "ring2")
        assert signing_keys.remove([key.id]) == 1
        assert key.kid not in kids()


def test_algorithms_that_clients_and_apis_name_are_the_tenants_own(
    twins: tuple[Tenant, Tenant], database
) -> None:  # type: ignore[no-untyped-def]
    acme, globex = twins
    database(
        "INSERT INTO apis (tenant_id, id, identifier, name, scopes, settings, created_at) "
        "VALUES (%s, %s, 'https://x.example', 'X', '{}', '{\"alg\": \"PS256\"}', now())",
        str(acme.id), str(uuid4()),
    )  # fmt: skip
    with entered(acme):
        assert "PS256" in signing_keys.algorithms_named()
        rotation.run()
        assert {"PS256", *keys.BORN_WITH} <= {row.alg for row in signing_keys.all_keys()}
    with entered(globex):
        assert "PS256" not in signing_keys.algorithms_named()


def test_f19_two_nodes_that_rotate_at_once_change_it_once_each_and_leave_one_signer(acme: Tenant) -> None:
    with entered(acme):
        rotation.ensure(acme)

    def turn(_number: int) -> None:
        with entered(acme):
            rotation.run()

    with entered(acme):
        before = kids()
        for row in signing_keys.all_keys():
            if row.alg == "ES256" and row.activate_at and row.activate_at > clock.now():
                signing_keys.remove([row.id])
        left = kids()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(turn, range(6)))
    with entered(acme):
        assert len(kids() - left) == 1
        assert len(kids()) == len(before)


def test_au08_a_sealed_key_copied_to_the_other_tenant_does_not_open(
    twins: tuple[Tenant, Tenant], database
) -> None:  # type: ignore[no-untyped-def]
    acme, globex = twins
    for tenant in twins:
        rotation.ensure(tenant)
    with entered(acme):
        ours = cache.load().signer("ES256", clock.now())
    with entered(globex):
        theirs = cache.load().signer("ES256", clock.now())
    assert ours is not None and theirs is not None
    database(
        "UPDATE signing_keys SET sealed = (SELECT sealed FROM signing_keys WHERE id = %s), kek_id = %s, kid = %s "
        "WHERE id = %s", str(ours.id), ours.kek_id, ours.kid, str(theirs.id),
    )  # fmt: skip
    cache.forget()
    with entered(globex):
        stolen = cache.load().by_kid[ours.kid]
        with pytest.raises(envelope.Unsealable):
            cache.private_key(stolen, globex.id)


def test_sealing_under_a_new_ring_key_touches_this_tenant_only(
    twins: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = twins
    for tenant in twins:
        rotation.ensure(tenant)
    renewed = ring.added(ring.ring())
    monkeypatch.setattr(ring._Process, "ring", renewed)
    with entered(acme):
        assert rotation.rewrap() == len(signing_keys.all_keys())
        assert rotation.rewrap() == 0
        assert {row.kek_id for row in signing_keys.all_keys()} == {renewed.newest.id}
        row = cache.load().signer("RS256", clock.now())
        assert row is not None
        assert cache.private_key(row, acme.id).is_private
    with entered(globex):
        assert renewed.newest.id not in {row.kek_id for row in signing_keys.all_keys()}


def test_a_failed_change_of_keys_changes_nothing(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    from idp import audit

    rotation.ensure(acme)
    with entered(acme):
        before = signing_keys.all_keys()

        def broken(*_arguments: object, **_facts: object) -> None:
            raise RuntimeError("the audit cannot be written")

        monkeypatch.setattr(audit, "record", broken)
        with pytest.raises(RuntimeError):
            rotation.rotate("ES256", now=True)
        assert signing_keys.all_keys() == before


def test_a_change_of_keys_is_told_to_the_directory(acme: Tenant, database) -> None:  # type: ignore[no-untyped-def]
    def version() -> int:
        return int(database("SELECT version FROM tenants WHERE id = %s", str(acme.id))[0][0])

    rotation.ensure(acme)
    before = version()
    with entered(acme):
        rotation.rotate("ES256")
    assert version() > before


def test_the_lock_is_held_to_the_end_of_the_transaction(acme: Tenant) -> None:
    from idp.errors import Busy

    def other() -> None:
        with entered(acme):
            signing_keys.lock()

    with entered(acme), transaction(), ThreadPoolExecutor(1) as pool:
        signing_keys.lock()
        with pytest.raises(Busy):  # the role's lock_timeout of 1 s
            pool.submit(other).result(5)


def test_the_public_set_is_the_tenants_own(twins: tuple[Tenant, Tenant]) -> None:
    sets = []
    for tenant in twins:
        rotation.ensure(tenant)
        with entered(tenant):
            sets.append({key["kid"] for key in jwks.document()["keys"]})
    assert sets[0] and sets[1] and not sets[0] & sets[1]
