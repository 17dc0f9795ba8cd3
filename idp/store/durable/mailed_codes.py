"""Codes that were sent by e-mail to somebody who signs in, each with the link that stands beside it in the message.

There is a row for whoever asks, whether anybody is called so or not; a person, a code and a link are filled in where
a message goes out. Postgres keeps them, so that one which was used stays used whatever becomes of Redis.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, delete, insert, select, update

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

mailed_codes = tenant_table(
    "mailed_codes",
    text("purpose"),
    binary("transaction"),
    text("sealed"),
    uuid("user_id", null=True),
    binary("state", null=True),
    binary("code", null=True),
    binary("link", null=True),
    Column("tries", Integer, nullable=False),
    instant("created_at"),
    instant("expires_at"),
    instant("confirmed_at", null=True),
    instant("used_at", null=True),
    belongs("user_id", "users"),
    unique("link"),
    index("mailed_codes", "user_id"),
    index("mailed_codes", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class MailedCode:
    """A code that was asked for: what it is for, and the digest of the sign-in at whose page it was.

    `sealed`: what the page behind the link shows; `user_id` to `link`: whose, the state of their account, the code
    as a MAC, the link as a digest, all None where no message goes out; `tries`: how many codes were given for it.
    """

    id: UUID
    purpose: str
    transaction: bytes
    sealed: str
    user_id: UUID | None
    state: bytes | None
    code: bytes | None
    link: bytes | None
    tries: int
    created_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None = None
    used_at: datetime | None = None


_COLUMNS = [mailed_codes.c[name] for name in MailedCode.__dataclass_fields__]
_BYTES = ("transaction", "state", "code", "link")


def _read(row: Any) -> MailedCode | None:
    if row is None:
        return None
    values = row._asdict()
    return MailedCode(**values | {name: bytes(values[name]) for name in _BYTES if values[name] is not None})


def add(code: MailedCode) -> None:
    """Keep what was asked for."""
    values = {name: getattr(code, name) for name in MailedCode.__dataclass_fields__}
    with transaction() as tx:
        tx.execute(insert(mailed_codes).values(tenant_id=home(), **values))


def by_id(code_id: UUID) -> MailedCode | None:
    """The one of this id, whatever became of it."""
    query = select(*_COLUMNS).where(here(mailed_codes), mailed_codes.c.id == code_id)
    with transaction(readonly=True) as tx:
        return _read(tx.execute(query).one_or_none())


def by_link(link: bytes) -> MailedCode | None:
    """The one whose link has this digest, whatever became of it."""
    query = select(*_COLUMNS).where(here(mailed_codes), mailed_codes.c.link == link)
    with transaction(readonly=True) as tx:
        return _read(tx.execute(query).one_or_none())


def newest_of(user_id: UUID, at: datetime) -> MailedCode | None:
    """The newest of a person's that is still good at an instant, or None."""
    good = mailed_codes.c.user_id == user_id, mailed_codes.c.expires_at > at, mailed_codes.c.used_at.is_(None)
    query = select(*_COLUMNS).where(here(mailed_codes), *good).order_by(mailed_codes.c.created_at.desc())
    with transaction(readonly=True) as tx:
        return _read(tx.execute(query.limit(1)).one_or_none())


def fill(code_id: UUID, user_id: UUID, state: bytes, code: bytes, link: bytes) -> bool:
    """Say whose it is and what opens it, in place of what did before; False when it was used, or is gone."""
    return _changed(code_id, user_id=user_id, state=state, code=code, link=link)


def attempt(code_id: UUID, most: int) -> MailedCode | None:
    """Count one code that is given for it, before it is judged; None when there were `most`, or it was used."""
    tried = (
        update(mailed_codes)
        .where(here(mailed_codes), mailed_codes.c.id == code_id)
        .where(mailed_codes.c.used_at.is_(None), mailed_codes.c.tries < most)
        .values(tries=mailed_codes.c.tries + 1)
        .returning(*_COLUMNS)
    )
    with transaction() as tx:
        return _read(tx.execute(tried).one_or_none())


def confirm(code_id: UUID, at: datetime) -> bool:
    """Note that its link was confirmed at another place: True for exactly one of all who try."""
    return _changed(code_id, mailed_codes.c.confirmed_at.is_(None), confirmed_at=at)


def use(code_id: UUID, at: datetime) -> bool:
    """Use it up, code and link together: True for exactly one of all who try."""
    return _changed(code_id, used_at=at)


def _changed(code_id: UUID, *clauses: Any, **values: Any) -> bool:
    unused = here(mailed_codes), mailed_codes.c.id == code_id, mailed_codes.c.used_at.is_(None)
    changed = update(mailed_codes).where(*unused, *clauses).values(**values).returning(mailed_codes.c.id)
    with transaction() as tx:
        return tx.execute(changed).first() is not None


def purge(before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` that expired before an instant; how many."""
    old = select(mailed_codes.c.id).where(here(mailed_codes), mailed_codes.c.expires_at < before).limit(limit)
    with transaction() as tx:
        gone = delete(mailed_codes).where(here(mailed_codes), mailed_codes.c.id.in_(old.scalar_subquery()))
        return len(tx.execute(gone.returning(mailed_codes.c.id)).all())
