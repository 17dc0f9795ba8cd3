"""What must happen to a tenant's keys, and the one way in which it is carried out.

Planning is pure: rows and a time in, a :class:`Change` out. Carrying out is one transaction under the
tenant's lock, so that of two nodes which plan the same at once only one changes anything (F19). Keys are
generated between transactions, never inside one: RSA takes tens of milliseconds, at times far more.

The schedule needs nobody at the moment of a change: each boundary is written on the row weeks ahead.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, cast
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from idp import audit, clock, ids
from idp.audit import Event
from idp.errors import Busy, Conflict, NotFound
from idp.signing import cache, envelope, keys, ring
from idp.signing.jwks import MEMBERS
from idp.signing.keys import State
from idp.store.database import transaction
from idp.store.durable import signing_keys
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Tenant, current, entered

RSA_BITS = 2048
KEPT_AFTER = dt.timedelta(days=90)
"""How long the row of a key that is gone or revoked is still listed, its private half erased."""

Rows = Sequence[SigningKey]


@dataclass(frozen=True, slots=True)
class Material:
    """A generated key: its public members and its private half, not yet sealed."""

    alg: str
    public: dict[str, str]
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done: kids to revoke, erase or remove, new times to sign from, keys to make."""

    revoke: tuple[str, ...] = ()
    activate: tuple[tuple[str, dt.datetime], ...] = ()
    create: tuple[tuple[str, dt.datetime], ...] = ()
    """Algorithm, and the instant from which the new key signs; it is published at once."""
    erase: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.revoke, self.activate, self.create, self.erase, self.remove))


def generate(alg: str) -> Material:
    """A new key for `alg`. Slow for RSA: never called inside a request or a transaction."""
    private: Any
    if alg in keys.RSA_ALGORITHMS or alg.startswith("RSA"):
        private = rsa.generate_private_key(65537, RSA_BITS)
    elif alg in {"ES256", "ECDH-ES"}:
        private = ec.generate_private_key(ec.SECP256R1())
    elif alg == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        raise ValueError(f"no key can be made for {alg!r}")
    return Material(alg, cache.describe(private.public_key()), envelope.private_der(private))


def replaced_at(tenant_id: UUID, alg: str, activated_at: dt.datetime, days: int) -> dt.datetime:
    """When a key that signs from `activated_at` is replaced by schedule.

    At most `days` later; by up to a tenth of that sooner, as tenant and algorithm fall, so that tenants
    which were made together are not rotated together.
    """
    period = dt.timedelta(days=days)
    place = int.from_bytes(ids.digest(tenant_id.bytes + alg.encode())[:8], "big") / 2**64
    return activated_at + period - period / keys.SPREAD * place


def plan(rows: Rows, now: dt.datetime, tenant: Tenant, algs: Collection[str]) -> Change:
    """What the schedule asks for at `now`: an active and a next key for each of `algs`, the dead cleared away."""
    activate: list[tuple[str, dt.datetime]] = []
    create: list[tuple[str, dt.datetime]] = []
    for alg in sorted({keys.canonical(alg) for alg in algs} & set(keys.EVERY), key=keys.EVERY.index):
        active = keys.signer(rows, alg, now)
        waiting = _waiting(rows, alg, now)
        since = now if active is None else active.activate_at or active.publish_at
        if active is None and waiting:
            activate.append((waiting.pop(0).kid, now))
        elif active is None:
            create.append((alg, now))
        if not waiting:
            scheduled = replaced_at(tenant.id, alg, since, tenant.policy.key_rotation_days)
            create.append((alg, max(scheduled, now + keys.PUBLISHED_AHEAD)))
    dead = [row for row in rows if keys.state(row, now) in {State.GONE, State.REVOKED}]
    return Change(
        activate=tuple(activate),
        create=tuple(create),
        erase=tuple(row.kid for row in dead if row.sealed),
        remove=tuple(row.kid for row in dead if not row.sealed and _died(row) + KEPT_AFTER <= now),
    )


def plan_rotation(rows: Rows, now: dt.datetime, tenant: Tenant, alg: str, at_once: bool) -> Change:
    """What an operator's rotation asks for: the next key signs as soon as every relying party can know it.

    That is once it has been public for max-age of the set, or `at_once`; a new next key is published now. One
    that waits behind it, from a rotation a moment ago, is moved to when that key is to be replaced.
    """
    waiting = _waiting(rows, alg, now)
    activate: list[tuple[str, dt.datetime]] = []
    create: list[tuple[str, dt.datetime]] = []
    if waiting:
        coming = waiting.pop(0)
        ready = now if at_once else max(now, coming.publish_at + keys.JWKS_MAX_AGE)
        begins = min(ready, coming.activate_at or ready)
        # Beginnings order the keys: two at the very same instant would leave the signer to chance.
        begun = [
            row.activate_at for row in rows if row.alg == alg and row.activate_at and row.activate_at <= now
        ]
        begins = max([begins, *(at + dt.timedelta(microseconds=1) for at in begun)])
        activate.append((coming.kid, begins))
    else:
        begins = now if at_once or keys.signer(rows, alg, now) is None else now + keys.JWKS_MAX_AGE
        create.append((alg, begins))
    behind: list[SigningKey | None] = [*waiting]
    for further in behind or [None]:
        scheduled = replaced_at(tenant.id, alg, begins, tenant.policy.key_rotation_days)
        begins = max(scheduled, now + keys.PUBLISHED_AHEAD, begins + keys.PUBLISHED_AHEAD)
        if further is None:
            create.append((alg, begins))
        elif further.activate_at != begins:
            activate.append((further.kid, begins))
    return Change(activate=tuple(activate), create=tuple(create))


def plan_revocation(rows: Rows, now: dt.datetime, tenant: Tenant, kid: str) -> Change:
    """What an emergency asks for: the key is nobody's at once, and another signs in its place.

    Raises NotFound, Conflict when the key is revoked or gone already.
    """
    row = next((row for row in rows if row.kid == kid), None)
    if row is None:
        raise NotFound("There is no such key.")
    if keys.state(row, now) in {State.GONE, State.REVOKED}:
        raise Conflict("The key is revoked or gone already.")
    left = [replace(one, revoked_at=now) if one.kid == kid else one for one in rows]
    after = plan(left, now, tenant, {row.alg})
    return Change(
        revoke=(kid,), activate=after.activate, create=after.create, erase=(kid,) if row.sealed else ()
    )


def chained(rows: Rows, now: dt.datetime) -> dict[str, dict[str, dt.datetime | None]]:
    """The ends that follow from the beginnings: each key retires when its successor begins to sign.

    For every kid whose `retire_at` or `gone_at` is not what it should be, the right ones. A key that has
    retired stays as it is: its tokens are out and their end is known.
    """
    ends: dict[str, dict[str, dt.datetime | None]] = {}
    for alg in keys.EVERY:
        line = [row for row in rows if row.alg == alg and row.revoked_at is None]
        line.sort(key=lambda row: (row.activate_at or row.publish_at, row.created_at, row.id))
        for row, successor in zip_longest(line, line[1:]):
            retire_at = (successor.activate_at or successor.publish_at) if successor else None
            gone_at = keys.gone_after(retire_at) if retire_at else None
            settled = row.retire_at is not None and row.retire_at <= now
            if not settled and (row.retire_at, row.gone_at) != (retire_at, gone_at):
                ends[row.kid] = {"retire_at": retire_at, "gone_at": gone_at}
    return ends


def run(tenant: Tenant | None = None) -> Change:
    """Carry out what the schedule asks of the entered tenant's keys. Nothing to do costs one reading."""
    tenant = tenant or current()
    with transaction():
        rows = signing_keys.all_keys()
        algs = _algorithms(rows, tenant)
    if not plan(rows, clock.now(), tenant, algs):
        return Change()
    return _carry_out(lambda rows, now: plan(rows, now, tenant, algs))


def ensure(tenant: Tenant) -> Change:
    """Give a tenant the keys it is born with, and those that its policy, clients and APIs name; repeatable."""
    with entered(tenant):
        return run(tenant)


def rotate(alg: str | None = None, *, now: bool = False) -> tuple[SigningKey, ...]:
    """Replace the entered tenant's active key for `alg`, or for every algorithm it has; all its keys after.

    `now`: the next key signs at once, though a relying party may not have seen it yet. Raises NotFound.
    """
    tenant = current()

    def change(rows: Rows, moment: dt.datetime) -> Change:
        present = _algorithms(rows, tenant)
        wanted = sorted(present) if alg is None else [keys.canonical(alg)]
        if not set(wanted) <= set(keys.EVERY):
            raise NotFound("There is no such algorithm.")
        parts = [plan_rotation(rows, moment, tenant, one, now) for one in wanted]
        return Change(
            activate=tuple(step for part in parts for step in part.activate),
            create=tuple(step for part in parts for step in part.create),
        )

    _carry_out(change)
    return signing_keys.all_keys()


def revoke(kid: str) -> tuple[SigningKey, ...]:
    """Revoke a key of the entered tenant in an emergency: all that it signed is void; all its keys after.

    Raises NotFound, Conflict.
    """
    tenant = current()
    _carry_out(lambda rows, now: plan_revocation(rows, now, tenant, kid))
    return signing_keys.all_keys()


def rewrap() -> int:
    """Seal the entered tenant's private keys under the newest key of the ring; how many were not yet."""
    root, tenant, done = ring.ring(), current(), 0
    with transaction():
        signing_keys.lock()
        for row in signing_keys.all_keys():
            if row.sealed and row.kek_id != root.newest.id:
                plain = root.unwrap(row.kek_id, row.sealed, tenant.id, row.kid)
                kek_id, sealed = root.wrap(plain, tenant.id, row.kid)
                signing_keys.reseal(row.id, sealed, kek_id)
                done += 1
        if done:
            audit.record(Event.KEY_REWRAPPED, count=done, ring_key=root.newest.id)
    return done


def listing() -> tuple[SigningKey, ...]:
    """The entered tenant's keys, by algorithm and age."""
    return tuple(sorted(signing_keys.all_keys(), key=_by_age))


def _by_age(row: SigningKey) -> tuple[int, dt.datetime, UUID]:
    return keys.EVERY.index(row.alg), row.activate_at or row.publish_at, row.id


def _waiting(rows: Rows, alg: str, now: dt.datetime) -> list[SigningKey]:
    """The keys that will sign, in the order in which they are to."""
    waiting = [row for row in rows if row.alg == alg and keys.state(row, now) in {State.NEXT, State.PENDING}]
    return sorted(waiting, key=lambda row: (row.activate_at or row.publish_at, row.created_at, row.id))


def _died(row: SigningKey) -> dt.datetime:
    return min(time for time in (row.gone_at, row.revoked_at) if time is not None)


def _algorithms(rows: Rows, tenant: Tenant) -> set[str]:
    policy = tenant.policy
    named = {policy.id_token_signing_alg, policy.access_token_signing_alg, *signing_keys.algorithms_named()}
    named |= set(keys.ENCRYPTION) if policy.encryption_keys else set()
    return ({keys.canonical(alg) for alg in named} | set(keys.BORN_WITH) | {row.alg for row in rows}) & set(
        keys.EVERY
    )


def _carry_out(change: Callable[[Rows, dt.datetime], Change]) -> Change:
    """Plan under the lock; where keys are missing for it, leave the transaction, make them, and plan again."""
    stock: list[Material] = []
    for _ in range(4):
        with transaction():
            signing_keys.lock()
            rows, now = signing_keys.all_keys(), clock.now()
            wanted = change(rows, now)
            missing = Counter(alg for alg, _ in wanted.create) - Counter(made.alg for made in stock)
            if not missing:
                _apply(wanted, rows, now, stock)
        if not missing:
            cache.forget(current().id)
            return wanted
        stock += [generate(alg) for alg in missing.elements()]
    raise Busy("The keys are being changed by someone else. Try again shortly.")


def _apply(change: Change, rows: Rows, now: dt.datetime, stock: list[Material]) -> None:
    state = {row.kid: row for row in rows}
    for kid in change.revoke:
        state[kid] = _moved(state[kid], revoked_at=now)
        audit.record(Event.KEY_REVOKED, kid=kid, alg=state[kid].alg)
    for kid, at in change.activate:
        state[kid] = _moved(state[kid], activate_at=at)
        audit.record(Event.KEY_ROTATED, kid=kid, alg=state[kid].alg, activate_at=at)
    for alg, at in change.create:
        made = _take(stock, alg)
        row = _sealed(made, now, at)
        signing_keys.add(row)
        state[row.kid] = row
        audit.record(Event.KEY_CREATED, kid=row.kid, alg=alg, activate_at=at)
    for kid, times in chained(tuple(state.values()), now).items():
        state[kid] = _moved(state[kid], **times)
    for kid in change.erase:
        signing_keys.reseal(state[kid].id, b"", "")
        audit.record(Event.KEY_ERASED, kid=kid, alg=state[kid].alg)
    if change.remove:
        signing_keys.remove(state[kid].id for kid in change.remove)


def _moved(row: SigningKey, **times: dt.datetime | None) -> SigningKey:
    signing_keys.reschedule(row.id, **times)
    return replace(row, **cast(Any, times))


def _take(stock: list[Material], alg: str) -> Material:
    return stock.pop(next(place for place, made in enumerate(stock) if made.alg == alg))


def _sealed(made: Material, now: dt.datetime, activate_at: dt.datetime) -> SigningKey:
    kid = ids.digest(ids.secret())[:10].hex()
    public = {name: made.public[name] for name in MEMBERS if name in made.public}
    kek_id, sealed = ring.ring().wrap(made.der, current().id, kid)
    return SigningKey(
        id=ids.uuid7(),
        kid=kid,
        alg=made.alg,
        public=public,
        sealed=sealed,
        kek_id=kek_id,
        created_at=now,
        publish_at=now,
        activate_at=activate_at,
    )
