"""One key of each person, sealed: what is recorded of them is sealed under it, and it goes with them."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.columns import belongs, binary, here, home, tenant_table, text, unique, uuid
from idp.store.durable.users import users

person_keys = tenant_table(
    "person_keys",
    uuid("user_id"),
    text("kek_id"),
    binary("sealed"),
    unique("user_id"),
    belongs("user_id", "users"),
)

_MADE = "person_keys_made"


@dataclass(frozen=True, slots=True)
class PersonKey:
    """A person's key, sealed by the ring key `kek_id`; `lasting` unless the open transaction has made it."""

    user_id: UUID
    kek_id: str
    sealed: bytes
    lasting: bool = field(default=True, compare=False)


def find(user_id: UUID) -> PersonKey | None:
    """The key of a person; None where they have none yet, or none any more."""
    query = select(person_keys.c.kek_id, person_keys.c.sealed)
    with transaction() as tx:
        row = tx.execute(query.where(here(person_keys), person_keys.c.user_id == user_id)).first()
        lasting = user_id not in tx.info.get(_MADE, ())
    return None if row is None else PersonKey(user_id, row.kek_id, bytes(row.sealed), lasting)


def add(user_id: UUID, kek_id: str, sealed: bytes) -> PersonKey | None:
    """Give a person this key unless they have one; the one that they have, None where there is no such person."""
    with transaction() as tx:
        if tx.execute(select(users.c.id).where(here(users), users.c.id == user_id)).first() is None:
            return None
        values = {"id": uuid7(), "user_id": user_id, "kek_id": kek_id, "sealed": sealed}
        made = insert(person_keys).values(tenant_id=home(), **values).on_conflict_do_nothing()
        if tx.execute(made.returning(person_keys.c.id)).first() is not None:
            tx.info[_MADE] = {*tx.info.get(_MADE, ()), user_id}
        return find(user_id)


def under_others(kek_id: str, limit: int) -> tuple[PersonKey, ...]:
    """At most `limit` keys that another ring key than `kek_id` seals, held until the transaction ends."""
    query = select(person_keys.c.user_id, person_keys.c.kek_id, person_keys.c.sealed)
    query = query.where(here(person_keys), person_keys.c.kek_id != kek_id).limit(limit).with_for_update()
    with transaction() as tx:
        return tuple(PersonKey(row.user_id, row.kek_id, bytes(row.sealed)) for row in tx.execute(query))


def reseal(user_id: UUID, kek_id: str, sealed: bytes) -> None:
    """Replace the seal of a person's key."""
    mine = update(person_keys).where(here(person_keys), person_keys.c.user_id == user_id)
    with transaction() as tx:
        tx.execute(mine.values(kek_id=kek_id, sealed=sealed))


def sealed_by() -> dict[str, int]:
    """How many keys of the tenant each ring key seals."""
    query = select(person_keys.c.kek_id, func.count()).where(here(person_keys))
    with transaction(readonly=True) as tx:
        rows = tx.execute(query.group_by(person_keys.c.kek_id))
        return {row[0]: row[1] for row in rows}
