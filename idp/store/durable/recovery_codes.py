"""Codes that stand in for a second factor once: a person's own recovery codes, and a temporary one of the help desk."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from idp import clock
from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.columns import belongs, binary, here, home, instant, tenant_table, text, unique, uuid

recovery_codes = tenant_table(
    "recovery_codes",
    uuid("user_id"),
    text("kind"),
    binary("digest"),
    instant("created_at"),
    instant("expires_at", null=True),
    instant("used_at", null=True),
    unique("user_id", "digest"),
    belongs("user_id", "users"),
)

RECOVERY, TEMPORARY = "recovery", "temporary"

_GOOD = (
    recovery_codes.c.tenant_id == bindparam("tenant"),
    recovery_codes.c.user_id == bindparam("user"),
    recovery_codes.c.used_at.is_(None),
    or_(recovery_codes.c.expires_at.is_(None), recovery_codes.c.expires_at > bindparam("now")),
)
_LEFT = select(recovery_codes.c.kind, func.count()).where(*_GOOD).group_by(recovery_codes.c.kind)
_USE: Any = (
    update(recovery_codes)
    .where(*_GOOD, recovery_codes.c.digest == bindparam("wanted"))
    .values(used_at=bindparam("now"))
    .returning(recovery_codes.c.kind)
)


def replace(user_id: UUID, kind: str, digests: Sequence[bytes], expires_at: datetime | None = None) -> None:
    """Give a person these codes of a kind; those of that kind from before are no more."""
    rows = [
        {"tenant_id": home(), "id": uuid7(), "user_id": user_id, "kind": kind, "digest": each,
         "created_at": clock.now(), "expires_at": expires_at}
        for each in digests
    ]  # fmt: skip
    of_kind = recovery_codes.c.user_id == user_id, recovery_codes.c.kind == kind
    with transaction() as tx:
        tx.execute(delete(recovery_codes).where(here(recovery_codes), *of_kind))
        tx.execute(insert(recovery_codes), rows)


def left(user_id: UUID) -> dict[str, int]:
    """How many codes a person can still use, by kind."""
    with transaction(readonly=True) as tx:
        rows = tx.execute(_LEFT, {"tenant": home(), "user": user_id, "now": clock.now()})
        return {row[0]: row[1] for row in rows}


def made_at(user_id: UUID) -> datetime | None:
    """When a person's recovery codes were made, or None without any."""
    asked = select(func.max(recovery_codes.c.created_at)).where(
        here(recovery_codes), recovery_codes.c.user_id == user_id, recovery_codes.c.kind == RECOVERY
    )
    with transaction(readonly=True) as tx:
        found: datetime | None = tx.scalar(asked)
        return found


def use(user_id: UUID, digest: bytes) -> str | None:
    """The kind of the code with this digest, which is used up by it: for exactly one of all who try; else None."""
    asked = {"tenant": home(), "user": user_id, "now": clock.now(), "wanted": digest}
    with transaction() as tx:
        row = tx.execute(_USE, asked).first()
    return None if row is None else str(row[0])


def remove(user_id: UUID) -> int:
    """Take all of a person's codes away; how many there were, used ones included."""
    gone = delete(recovery_codes).where(here(recovery_codes), recovery_codes.c.user_id == user_id)
    with transaction() as tx:
        return len(tx.execute(gone.returning(recovery_codes.c.id)).all())
