"""Devices on which a person gave a second factor and asked not to be asked again for some days."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select

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
    unique,
    uuid,
)

remembered_devices = tenant_table(
    "remembered_devices",
    uuid("user_id"),
    binary("digest"),
    text("user_agent", null=True),
    instant("created_at"),
    instant("expires_at"),
    unique("user_id", "digest"),
    belongs("user_id", "users"),
    index("remembered_devices", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A device of a person. `digest` is SHA-256 of its cookie."""

    id: UUID
    user_id: UUID
    digest: bytes
    user_agent: str | None
    created_at: datetime
    expires_at: datetime


_COLUMNS = tuple(remembered_devices.c[name] for name in Remembered.__slots__)
_OF_USER = select(*_COLUMNS).where(
    remembered_devices.c.tenant_id == bindparam("tenant"), remembered_devices.c.user_id == bindparam("user")
)
_BY_DIGEST = _OF_USER.where(remembered_devices.c.digest == bindparam("wanted"))


def add(device: Remembered) -> None:
    """Remember a device."""
    values = {name: getattr(device, name) for name in Remembered.__slots__}
    with transaction() as tx:
        tx.execute(insert(remembered_devices).values(tenant_id=home(), **values))


def find(user_id: UUID, digest: bytes) -> Remembered | None:
    """The device of this person with this cookie; its age is the caller's to judge."""
    asked = {"tenant": home(), "user": user_id, "wanted": digest}
    with transaction(readonly=True) as tx:
        row = tx.execute(_BY_DIGEST, asked).one_or_none()
    return None if row is None else Remembered(*row)


def of_user(user_id: UUID) -> tuple[Remembered, ...]:
    """The remembered devices of a person, the newest first."""
    asked = _OF_USER.order_by(remembered_devices.c.created_at.desc()).limit(100)
    with transaction(readonly=True) as tx:
        return tuple(Remembered(*row) for row in tx.execute(asked, {"tenant": home(), "user": user_id}))


def forget(user_id: UUID, device_id: UUID | None = None) -> int:
    """Forget one device of a person, or all of them; how many."""
    gone = delete(remembered_devices).where(here(remembered_devices), remembered_devices.c.user_id == user_id)
    if device_id is not None:
        gone = gone.where(remembered_devices.c.id == device_id)
    with transaction() as tx:
        return len(tx.execute(gone.returning(remembered_devices.c.id)).all())


def purge(before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` devices whose time was over before an instant; how many."""
    old = select(remembered_devices.c.id).where(
        here(remembered_devices), remembered_devices.c.expires_at < before
    )
    gone = delete(remembered_devices).where(
        here(remembered_devices), remembered_devices.c.id.in_(old.limit(limit).scalar_subquery())
    )
    with transaction() as tx:
        return len(tx.execute(gone.returning(remembered_devices.c.id)).all())
