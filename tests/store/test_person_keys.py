"""Keys of people in the vault, and what is sealed under them: one tenant's own, and gone with the person."""

from uuid import UUID, uuid4

import pytest

from idp import audit, seals
from idp.audit import Actor, Event
from idp.control import record
from idp.control import users as people
from idp.errors import Refusal
from idp.signing import cache, envelope, persons, ring
from idp.store.database import transaction
from idp.store.durable import audit_log, person_keys, users
from idp.tenants import entered

ADDRESS = "203.0.113.77"


@pytest.fixture(autouse=True)
def _fresh():
    cache.forget()
    yield
    cache.forget()


@pytest.fixture
def both(twins, database):
    """Dora, once in each tenant, under the very same id."""
    same = uuid4()
    for tenant in twins:
        database(
            "INSERT INTO users (tenant_id, id, username, username_norm, username_skeleton, email_verified, claims,"
            " status, created_at, updated_at) VALUES (%s, %s, 'dora', 'dora', 'dora', false, '{}', 'active', now(),"
            " now())",
            str(tenant.id), str(same),
        )  # fmt: skip
    return *twins, same


def test_a_key_is_its_tenants_alone(both):
    acme, globex, dora = both
    with entered(acme):
        mine = person_keys.add(dora, "ring", b"mine")
        assert person_keys.add(dora, "other", b"second") == mine
    with entered(globex):
        assert person_keys.find(dora) is None
        assert person_keys.under_others("another", 9) == ()
        assert person_keys.sealed_by() == {}
        person_keys.reseal(dora, "stolen", b"stolen")
        assert person_keys.add(dora, "ring", b"theirs").sealed == b"theirs"
    with entered(acme):
        assert person_keys.find(dora) == mine
        assert person_keys.sealed_by() == {"ring": 1}
        assert person_keys.under_others("ring", 9) == ()
        assert [row.user_id for row in person_keys.under_others("another", 9)] == [dora]
        person_keys.reseal(dora, "another", b"again")
        assert (person_keys.find(dora).kek_id, person_keys.find(dora).sealed) == ("another", b"again")
    with entered(globex):
        assert person_keys.find(dora).sealed == b"theirs"


def test_nobody_has_no_key_and_another_tenants_person_is_nobody(twins):
    acme, globex = twins
    with entered(acme):
        only_here = users.add("only-here").id
    with entered(globex):
        for stranger in (only_here, UUID(int=7)):
            assert person_keys.add(stranger, "ring", b"s") is None
            assert persons.seal(stranger, {"a": 1}, uuid4()) is None


def test_what_is_sealed_opens_in_its_own_row_of_its_own_tenant(both):
    acme, globex, dora = both
    row = uuid4()
    with entered(globex):
        theirs = persons.seal(dora, {"address": ADDRESS}, row)
    with entered(acme):
        mine = persons.seal(dora, {"address": ADDRESS}, row)
        assert persons.open_(dora, mine, row) == {"address": ADDRESS}
        for sealed, where in ((mine, uuid4()), (theirs, row)):
            with pytest.raises(envelope.Unsealable):
                persons.open_(dora, sealed, where)


def test_a_key_whose_transaction_was_rolled_back_seals_nothing_later(both):
    acme, _, dora = both
    with entered(acme):
        with pytest.raises(RuntimeError), transaction():
            persons.seal(dora, {"n": 1}, uuid4())
            persons.seal(dora, {"n": 2}, uuid4())
            raise RuntimeError
        row = uuid4()
        sealed = persons.seal(dora, {"n": 3}, row)
        assert persons.open_(dora, sealed, row) == {"n": 3}
        assert persons.seal(dora, {"n": 4}, uuid4()) is not None
        assert persons.open_(dora, sealed, row) == {"n": 3}


def test_keys_are_sealed_anew_under_the_newest_ring_key(both):
    acme, globex, dora = both
    before, row = ring.ring(), uuid4()
    with entered(acme):
        sealed = persons.seal(dora, {"n": 1}, row)
    with entered(globex):
        persons.seal(dora, {"n": 1}, row)
    try:
        renewed = ring.use(ring.added(before))
        with entered(acme):
            assert (persons.rewrap(), persons.rewrap()) == (1, 0)
            assert persons.sealed_by() == {renewed.newest.id: 1}
            cache.forget()
            assert persons.open_(dora, sealed, row) == {"n": 1}
        with entered(globex):
            assert persons.sealed_by() == {before.newest.id: 1}
    finally:
        ring.use(before)


def test_an_erased_person_leaves_an_id_and_a_whole_chain(twins, database):
    acme, globex = twins
    with entered(acme):
        person = people.create({"username": "gone"})
        actor = Actor("user", str(person.id), ADDRESS)
        audit.record(Event.SIGN_IN_FAILED, actor, agent="Firefox of Gone")
        audit.record(Event.CODE_REDEEMED, Actor("client", "web", ADDRESS), user_id=person.id, n=1)
        audit.record(Event.SIGN_IN_FAILED, Actor("user", None, ADDRESS))
        seals.seal()
    told = record.events("acme", limit=3)
    assert [row["actor"].get("address") for row in told] == [ADDRESS] * 3
    assert told[2]["facts"] == {"agent": "Firefox of Gone"}
    stored = database("SELECT string_agg(actor::text || facts::text, '') FROM audit_log WHERE event <> 'x'")
    assert str(stored).count(ADDRESS) == 1  # of nobody known
    assert "Firefox" not in str(stored)
    with entered(acme):
        people.delete("gone")
        seals.seal()
        assert seals.verify().whole
        audit.record(Event.SIGN_IN_FAILED, actor)
    told = [row for row in record.events("acme", limit=9) if row["event"] != "user.deleted"]
    assert [row["actor"].get("address") for row in told[:4]] == ["erased", ADDRESS, "erased", "erased"]
    assert (told[2]["facts"]["n"], told[3]["facts"]) == (1, {})
    with entered(globex):
        assert ADDRESS not in str(audit_log.recent())
        with pytest.raises(Refusal):
            people.delete("gone")
