"""Passkeys: public keys that a person's devices hold the other half of (Web Authentication Level 3)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from idp import clock
from idp.errors import Conflict
from idp.store.database import transaction
from idp.store.durable.columns import (
    belongs,
    binary,
    here,
    home,
    index,
    instant,
    tenant_table,
    text,
    texts,
    unique,
    uuid,
)

passkeys = tenant_table(
    "passkeys",
    uuid("user_id"),
    binary("credential_id"),
    binary("public_key"),
    Column("sign_count", BigInteger, nullable=False),
    text("rp_id"),
    text("aaguid"),
    texts("transports"),
    Column("backup_eligible", Boolean, nullable=False),
    Column("backed_up", Boolean, nullable=False),
    text("name"),
    instant("created_at"),
    instant("used_at", null=True),
    unique("credential_id"),
    belongs("user_id", "users"),
    index("passkeys", "user_id"),
)


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey of a person. `rp_id`: the host at which it was made, and at which alone it works.

    `public_key` is a COSE key; `backup_eligible`: whether it may leave its device, `backed_up`: whether it has.
    """

    id: UUID
    user_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    rp_id: str
    aaguid: str
    transports: tuple[str, ...]
    backup_eligible: bool
    backed_up: bool
    name: str
    created_at: datetime
    used_at: datetime | None


_COLUMNS = tuple(passkeys.c[name] for name in Passkey.__slots__)
_HERE = passkeys.c.tenant_id == bindparam("tenant")
_OF_USER = (
    select(*_COLUMNS).where(_HERE, passkeys.c.user_id == bindparam("user")).order_by(passkeys.c.created_at)
)
_BY_CREDENTIAL = select(*_COLUMNS).where(_HERE, passkeys.c.credential_id == bindparam("credential"))


def _passkey(row: Any) -> Passkey:
    given = row._asdict()
    raw = {name: bytes(given[name]) for name in ("credential_id", "public_key")}
    return Passkey(**{**given, **raw, "transports": tuple(given["transports"])})


def add(new: Passkey) -> None:
    """Keep a passkey. Raises Conflict when somebody of this tenant has it already."""
    values = {name: getattr(new, name) for name in Passkey.__slots__} | {"transports": list(new.transports)}
    try:
        with transaction() as tx:
            tx.execute(insert(passkeys).values(tenant_id=home(), **values))
    except IntegrityError as error:
        raise Conflict("This passkey is known already.", rule="passkeys.unique") from error


def of_user(user_id: UUID) -> tuple[Passkey, ...]:
    """The passkeys of a person, the oldest first."""
    with transaction(readonly=True) as tx:
        return tuple(_passkey(row) for row in tx.execute(_OF_USER, {"tenant": home(), "user": user_id}))


def by_credential(credential_id: bytes) -> Passkey | None:
    """The passkey of this credential id, or None."""
    with transaction(readonly=True) as tx:
        row = tx.execute(_BY_CREDENTIAL, {"tenant": home(), "credential": credential_id}).one_or_none()
    return None if row is None else _passkey(row)


def use(passkey_id: UUID, sign_count: int, *, backed_up: bool) -> bool:
    """Note a use; false where the counter did not go up, which says that there is a copy of the key.

    A counter that was always 0 counts nothing (Web Authentication Level 3 §6.1.1).
    """
    counts = or_(
        passkeys.c.sign_count < sign_count, and_(passkeys.c.sign_count == 0, bindparam("given") == 0)
    )
    used: Any = (
        update(passkeys)
        .where(here(passkeys), passkeys.c.id == passkey_id, counts)
        .values(sign_count=sign_count, backed_up=backed_up, used_at=clock.now())
        .returning(passkeys.c.id)
    )
    with transaction() as tx:
        return tx.execute(used, {"given": sign_count}).first() is not None


def rename(user_id: UUID, passkey_id: UUID, name: str) -> bool:
    """Call a person's passkey something else; False when they have no such one."""
    mine = update(passkeys).where(here(passkeys), passkeys.c.user_id == user_id, passkeys.c.id == passkey_id)
    with transaction() as tx:
        return tx.execute(mine.values(name=name).returning(passkeys.c.id)).first() is not None


def remove(user_id: UUID, passkey_id: UUID | None = None) -> int:
    """Take one passkey of a person away, or all of them; how many."""
    gone = delete(passkeys).where(here(passkeys), passkeys.c.user_id == user_id)
    if passkey_id is not None:
        gone = gone.where(passkeys.c.id == passkey_id)
    with transaction() as tx:
        return len(tx.execute(gone.returning(passkeys.c.id)).all())


def count() -> int:
    """How many passkeys the tenant's people have."""
    with transaction(readonly=True) as tx:
        return int(tx.scalar(select(func.count()).select_from(passkeys).where(here(passkeys))) or 0)
