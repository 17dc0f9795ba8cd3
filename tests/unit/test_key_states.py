"""Keys through their whole life: pure functions of the times on a row."""

import datetime as dt
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.errors import Conflict, NotFound
from idp.signing import keys, rotation
from idp.signing.keys import State
from idp.signing.rotation import Change
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Tenant

BIRTH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY, HOUR, SECOND = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(seconds=1)
ACME = Tenant(uuid.UUID(int=7), "acme", "Acme", "active", "http://localhost/t/acme")


def made(alg: str, at: dt.datetime, signs_from: dt.datetime) -> SigningKey:
    kid = uuid.uuid4().hex
    return SigningKey(uuid.uuid4(), kid, alg, {"kty": "EC"}, b"sealed", "ring", at, at, signs_from)


def carried_out(rows: list[SigningKey], change: Change, now: dt.datetime) -> list[SigningKey]:
    """What the rows look like after a change: the same steps as `rotation._apply`, without a database."""
    state = {row.kid: row for row in rows}
    for kid in change.revoke:
        state[kid] = replace(state[kid], revoked_at=now)
    for kid, at in change.activate:
        state[kid] = replace(state[kid], activate_at=at)
    for alg, at in change.create:
        key = made(alg, now, at)
        state[key.kid] = key
    for kid, ends in rotation.chained(list(state.values()), now).items():
        state[kid] = replace(state[kid], **ends)
    for kid in change.erase:
        state[kid] = replace(state[kid], sealed=b"")
    return [row for row in state.values() if row.kid not in change.remove]


def kept(rows: list[SigningKey], now: dt.datetime, algs: tuple[str, ...] = ("ES256",)) -> list[SigningKey]:
    return carried_out(rows, rotation.plan(rows, now, ACME, algs), now)


def states(rows: list[SigningKey], now: dt.datetime) -> list[str]:
    return sorted(keys.state(row, now).value for row in rows)


def test_a_boundary_belongs_to_the_later_state() -> None:
    key = replace(
        made("ES256", BIRTH, BIRTH + DAY),
        retire_at=BIRTH + 2 * DAY,
        gone_at=BIRTH + 3 * DAY,
        publish_at=BIRTH + HOUR,
    )
    instants = {
        BIRTH: State.PENDING, BIRTH + HOUR: State.NEXT, BIRTH + DAY - SECOND: State.NEXT, BIRTH + DAY: State.ACTIVE,
        BIRTH + 2 * DAY - SECOND: State.ACTIVE, BIRTH + 2 * DAY: State.RETIRING, BIRTH + 3 * DAY: State.GONE,
    }  # fmt: skip
    assert {at: keys.state(key, at) for at in instants} == instants
    revoked = replace(key, revoked_at=BIRTH + DAY)
    assert keys.state(revoked, BIRTH + DAY) is State.REVOKED
    assert keys.state(revoked, BIRTH + 9 * DAY) is State.REVOKED


def test_a_tenant_is_born_with_an_active_and_a_next_key_for_each_algorithm() -> None:
    rows = kept([], BIRTH, keys.BORN_WITH)
    assert sorted((row.alg, keys.state(row, BIRTH).value) for row in rows) == [
        ("ES256", "active"), ("ES256", "next"), ("RS256", "active"), ("RS256", "next"),
    ]  # fmt: skip
    assert not rotation.plan(rows, BIRTH, ACME, keys.BORN_WITH)


def test_f19_a_year_of_rotation_by_schedule() -> None:
    """Always exactly one signer; a key is public 24 h before it signs and until its last token has expired."""
    rows, now, signed = kept([], BIRTH), BIRTH, {}
    while now < BIRTH + 400 * DAY:
        rows = kept(rows, now)
        signer = keys.signer(rows, "ES256", now)
        assert signer is not None
        assert sum(keys.state(row, now) is State.ACTIVE for row in rows) == 1
        for row in rows:
            if signed.get(row.kid) and now < signed[row.kid] + keys.LONGEST_TOKEN:
                assert keys.state(row, now) in keys.PUBLISHED
        signed[signer.kid] = now
        now += 6 * HOUR
    assert 4 <= len(signed) - 1 <= 5
    assert all(
        row.activate_at - row.publish_at >= keys.PUBLISHED_AHEAD for row in rows if row.publish_at > BIRTH
    )
    assert {"active", "next"} <= set(states(rows, now))


def test_without_a_worker_the_next_key_takes_over_and_stays() -> None:
    rows = kept([], BIRTH)
    for days in (0, 100, 1000):
        assert keys.signer(rows, "ES256", BIRTH + days * DAY) is not None
    assert states(rows, BIRTH + 1000 * DAY) == ["active", "gone"]
    rows = kept(rows, BIRTH + 1000 * DAY)
    assert states(rows, BIRTH + 1000 * DAY) == ["active", "gone", "next"]


def test_rotations_of_tenants_made_together_are_spread_over_a_tenth_of_the_period() -> None:
    at = {rotation.replaced_at(uuid.uuid4(), "RS256", BIRTH, 90) - BIRTH for _ in range(200)}
    assert min(at) >= 81 * DAY
    assert max(at) <= 90 * DAY
    assert max(at) - min(at) > 7 * DAY
    same = uuid.UUID(int=1)
    assert rotation.replaced_at(same, "RS256", BIRTH, 90) == rotation.replaced_at(same, "RS256", BIRTH, 90)


def test_an_operators_rotation_waits_for_max_age_and_keeps_the_old_key_for_its_last_token() -> None:
    now = BIRTH + 10 * SECOND
    rows = kept([], BIRTH)
    old = keys.signer(rows, "ES256", now)
    (coming,) = [row for row in rows if keys.state(row, now) is State.NEXT]
    rows = carried_out(rows, rotation.plan_rotation(rows, now, ACME, "ES256", False), now)
    assert states(rows, now) == ["active", "next", "next"]
    switch = BIRTH + keys.JWKS_MAX_AGE
    assert old is not None and keys.signer(rows, "ES256", switch - SECOND).kid == old.kid  # type: ignore[union-attr]
    assert keys.signer(rows, "ES256", switch).kid == coming.kid  # type: ignore[union-attr]
    last = switch + keys.LONGEST_TOKEN
    by_kid = {row.kid: row for row in rows}
    assert keys.state(by_kid[old.kid], last - SECOND) is State.RETIRING
    assert keys.state(by_kid[old.kid], last) is State.GONE


def test_a_key_that_has_been_public_for_long_signs_at_once() -> None:
    rows, now = kept([], BIRTH), BIRTH + DAY
    (coming,) = [row for row in rows if keys.state(row, now) is State.NEXT]
    rows = carried_out(rows, rotation.plan_rotation(rows, now, ACME, "ES256", False), now)
    assert keys.signer(rows, "ES256", now).kid == coming.kid  # type: ignore[union-attr]


def test_now_means_now() -> None:
    rows = kept([], BIRTH)
    (coming,) = [row for row in rows if keys.state(row, BIRTH) is State.NEXT]
    now = BIRTH + SECOND
    rows = carried_out(rows, rotation.plan_rotation(rows, now, ACME, "ES256", True), now)
    assert keys.signer(rows, "ES256", now).kid == coming.kid  # type: ignore[union-attr]
    assert states(rows, now) == ["active", "next", "retiring"]


def test_rotating_an_algorithm_that_has_no_key_makes_two() -> None:
    rows = carried_out([], rotation.plan_rotation([], BIRTH, ACME, "EdDSA", False), BIRTH)
    assert states(rows, BIRTH) == ["active", "next"]


def test_rotating_twice_within_max_age_never_leaves_a_gap() -> None:
    rows, now = kept([], BIRTH), BIRTH
    for _ in range(5):
        rows = carried_out(rows, rotation.plan_rotation(rows, now, ACME, "ES256", False), now)
        now += 20 * SECOND
    for seconds in range(0, 1000, 5):
        at = BIRTH + seconds * SECOND
        signer = keys.signer(rows, "ES256", at)
        assert signer is not None
        born = signer.publish_at == signer.activate_at == BIRTH
        assert born or at - signer.publish_at >= keys.JWKS_MAX_AGE


def test_rotating_twice_within_max_age_is_one_rotation_and_leaves_one_key_behind_it() -> None:
    """No key may sign for seconds only: whoever waits behind the coming one waits for its whole period."""
    for at_once in (False, True):
        rows, now = kept([], BIRTH), BIRTH
        for moment in (BIRTH, BIRTH + 37 * SECOND):
            now = moment
            rows = carried_out(rows, rotation.plan_rotation(rows, now, ACME, "ES256", False), now)
        if at_once:
            rows = carried_out(rows, rotation.plan_rotation(rows, now, ACME, "ES256", True), now)
        assert len(rows) == 3 and not rotation.plan(rows, now, ACME, ("ES256",))
        begins = sorted(row.activate_at for row in rows if row.activate_at)
        assert begins[1] == (now if at_once else BIRTH + keys.JWKS_MAX_AGE)
        assert begins[2] - begins[1] >= 80 * DAY


def test_revoking_the_active_key_lets_the_next_one_sign_at_once() -> None:
    rows, now = kept([], BIRTH), BIRTH + DAY
    bad = keys.signer(rows, "ES256", now)
    assert bad is not None
    rows = carried_out(rows, rotation.plan_revocation(rows, now, ACME, bad.kid), now)
    signer = keys.signer(rows, "ES256", now)
    assert signer is not None
    assert signer.kid != bad.kid
    assert states(rows, now) == ["active", "next", "revoked"]
    assert bad.kid not in {row.kid for row in keys.published(rows, now)}
    assert next(row for row in rows if row.kid == bad.kid).sealed == b""


def test_revoking_the_next_key_makes_another_and_moves_the_end_of_the_active_one() -> None:
    rows = kept([], BIRTH)
    (coming,) = [row for row in rows if keys.state(row, BIRTH) is State.NEXT]
    now = coming.activate_at - HOUR  # type: ignore[operator]
    rows = carried_out(rows, rotation.plan_revocation(rows, now, ACME, coming.kid), now)
    active = keys.signer(rows, "ES256", now)
    (other,) = [row for row in rows if keys.state(row, now) is State.NEXT]
    assert active is not None
    assert active.retire_at == other.activate_at
    assert other.activate_at >= now + keys.PUBLISHED_AHEAD  # type: ignore[operator]


def test_revoking_what_is_not_there_or_dead_is_refused() -> None:
    rows, now = kept([], BIRTH), BIRTH + DAY
    with pytest.raises(NotFound):
        rotation.plan_revocation(rows, now, ACME, "nothing")
    rows = carried_out(rows, rotation.plan_revocation(rows, now, ACME, rows[0].kid), now)
    with pytest.raises(Conflict):
        rotation.plan_revocation(rows, now, ACME, rows[0].kid)


def test_a_dead_keys_private_half_is_erased_and_its_row_removed_later() -> None:
    rows = kept([], BIRTH)
    later = BIRTH + 100 * DAY
    rows = kept(rows, later)
    assert [row.sealed for row in rows if keys.state(row, later) is State.GONE] == [b""]
    rows = kept(rows, later + rotation.KEPT_AFTER + 20 * DAY)
    assert not [row for row in rows if row.created_at == BIRTH and not row.sealed and row.retire_at < later]


def test_names_of_ed25519_mean_one_key() -> None:
    rows = kept([], BIRTH, ("Ed25519", "EdDSA"))
    assert [row.alg for row in rows] == ["EdDSA", "EdDSA"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["wait", "rotate", "now", "revoke"]), st.integers(0, 200)), max_size=12
    )
)
def test_whatever_operators_do_there_is_one_signer_and_the_next_is_known(
    steps: list[tuple[str, int]],
) -> None:
    rows, now = kept([], BIRTH), BIRTH
    for verb, hours in steps:
        now += hours * HOUR
        if verb in ("rotate", "now"):
            rows = carried_out(rows, rotation.plan_rotation(rows, now, ACME, "ES256", verb == "now"), now)
        elif verb == "revoke":
            active = keys.signer(rows, "ES256", now)
            assert active is not None
            rows = carried_out(rows, rotation.plan_revocation(rows, now, ACME, active.kid), now)
        rows = kept(rows, now)
        assert sum(keys.state(row, now) is State.ACTIVE for row in rows) == 1
        assert any(keys.state(row, now) is State.NEXT for row in rows)
        change = keys.next_change(rows, now)
        assert change is None or change > now
