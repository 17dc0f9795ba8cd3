"""What a person proves themselves with, and the code that keeps applications from asking them: Argon2id hashes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, delete, exists, func, select, update
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert

from idp import clock
from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.columns import belongs, binary, here, home, instant, tenant_table, text, unique, uuid

_OURS = "^[$]argon2id[$]v=19[$]m=19456,t=2,p=1[$]"

credentials = tenant_table(
    "credentials",
    uuid("user_id"),
    text("kind"),
    text("secret"),
    binary("source_digest", null=True),
    instant("created_at"),
    instant("changed_at"),
    belongs("user_id", "users"),
    unique("user_id", "kind"),
    Index("credentials_imported", "tenant_id", postgresql_where=sql(f"secret !~ '{_OURS}'")),
)

PASSWORD = "password"
USER_CODE = "user_code"
"""The approval code, by its name on the wire (CIBA Core 1.0 §7.1)."""


def _password(user_id: UUID) -> tuple[Any, ...]:
    return _of(user_id, PASSWORD)


def _of(user_id: UUID, kind: str) -> tuple[Any, ...]:
    return here(credentials), credentials.c.user_id == user_id, credentials.c.kind == kind


def count(kind: str) -> int:
    """How many credentials of a kind the tenant's people have."""
    with transaction(readonly=True) as tx:
        asked = (
            select(func.count()).select_from(credentials).where(here(credentials), credentials.c.kind == kind)
        )
        return int(tx.scalar(asked) or 0)


def password_of(user_id: UUID) -> str | None:
    """The hash of a user's password in PHC format, or None without user or password."""
    with transaction(readonly=True) as tx:
        secret: str | None = tx.scalar(select(credentials.c.secret).where(*_password(user_id)))
        return secret


def has_imported() -> bool:
    """Whether anybody has a password hash of another scheme or other parameters than new ones get."""
    with transaction(readonly=True) as tx:
        return bool(tx.scalar(select(exists().where(here(credentials), sql(f"secret !~ '{_OURS}'")))))


def password_changed(user_id: UUID) -> datetime | None:
    """When a user's password was last set, or None without user or password."""
    with transaction(readonly=True) as tx:
        at: datetime | None = tx.scalar(select(credentials.c.changed_at).where(*_password(user_id)))
        return at


def password_source(user_id: UUID) -> bytes | None:
    """The keyed digest of the file value that the password was last set from, or None."""
    with transaction(readonly=True) as tx:
        source: bytes | None = tx.scalar(select(credentials.c.source_digest).where(*_password(user_id)))
        return source


def put_password(user_id: UUID, secret: str, source_digest: bytes | None = None) -> None:
    """Set or replace a user's password hash. `source_digest`: keyed digest of the value in a blueprint, if any.

    Ending sessions is the caller's.
    """
    _put(user_id, PASSWORD, secret, source_digest)


def _put(user_id: UUID, kind: str, secret: str, source_digest: bytes | None = None) -> None:
    at = clock.now()
    new = {"secret": secret, "source_digest": source_digest, "changed_at": at}
    with transaction() as tx:
        tx.execute(
            insert(credentials)
            .values(tenant_id=home(), id=uuid7(), user_id=user_id, kind=kind, created_at=at, **new)
            .on_conflict_do_update(index_elements=["tenant_id", "user_id", "kind"], set_=new)
        )


def renew_password(user_id: UUID, old: str, new: str) -> bool:
    """Put a hash of present parameters in place of `old`; False when the password was changed meanwhile."""
    with transaction() as tx:
        renewed = (
            update(credentials).where(*_password(user_id), credentials.c.secret == old).values(secret=new)
        )
        return tx.execute(renewed.returning(credentials.c.id)).first() is not None


def remove_password(user_id: UUID) -> bool:
    """Take a user's password away; False when there was none."""
    return _remove(user_id, PASSWORD)


def _remove(user_id: UUID, kind: str) -> bool:
    with transaction() as tx:
        removed = delete(credentials).where(*_of(user_id, kind)).returning(credentials.c.id)
        return tx.execute(removed).first() is not None


def user_code_of(user_id: UUID) -> str | None:
    """The hash of a user's approval code in PHC format, or None without user or code."""
    with transaction(readonly=True) as tx:
        secret: str | None = tx.scalar(select(credentials.c.secret).where(*_of(user_id, USER_CODE)))
        return secret


def put_user_code(user_id: UUID, secret: str) -> None:
    """Set or replace the hash of a user's approval code."""
    _put(user_id, USER_CODE, secret)


def remove_user_code(user_id: UUID) -> bool:
    """Take a user's approval code away; False when there was none."""
    return _remove(user_id, USER_CODE)
