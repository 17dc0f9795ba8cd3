"""A tenant's own words in messages: some parts of a kind of message in a language, as plain text."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from idp.store.database import transaction
from idp.store.durable.columns import here, home, instant, json, tenant_table, text, unique

mail_texts = tenant_table(
    "mail_texts",
    text("kind"),
    text("language"),
    json("parts"),
    instant("updated_at"),
    unique("kind", "language"),
)


@dataclass(frozen=True, slots=True)
class Words:
    """The parts of a message that a tenant says itself: `subject`, `heading`, `text`, `button`, or some of them."""

    id: UUID
    kind: str
    language: str
    parts: Mapping[str, str]
    updated_at: datetime


_NAMES = tuple(Words.__dataclass_fields__)
_COLUMNS = tuple(mail_texts.c[name] for name in _NAMES)
_FIND = sa.select(*_COLUMNS).where(
    mail_texts.c.tenant_id == sa.bindparam("tenant"),
    mail_texts.c.kind == sa.bindparam("wanted"),
    mail_texts.c.language == sa.bindparam("spoken"),
)


def put(words: Words) -> None:
    """Keep words in place of those of their kind and language."""
    values = {name: getattr(words, name) for name in _NAMES} | {"parts": dict(words.parts)}
    row = insert(mail_texts).values(tenant_id=home(), **values)
    changed = {"parts": row.excluded.parts, "updated_at": row.excluded.updated_at}
    with transaction() as tx:
        tx.execute(row.on_conflict_do_update(index_elements=["tenant_id", "kind", "language"], set_=changed))


def find(kind: str, language: str) -> Words | None:
    """Those of a kind in a language, or None."""
    with transaction(readonly=True) as tx:
        row = tx.execute(_FIND, {"tenant": home(), "wanted": kind, "spoken": language}).one_or_none()
    return None if row is None else Words(*row)


def every() -> tuple[Words, ...]:
    """All of the tenant, by kind and language."""
    wanted = sa.select(*_COLUMNS).where(here(mail_texts)).order_by(mail_texts.c.kind, mail_texts.c.language)
    with transaction(readonly=True) as tx:
        return tuple(Words(*row) for row in tx.execute(wanted))


def remove(kind: str, language: str) -> bool:
    """Forget those of a kind in a language; False where there are none."""
    mine = sa.delete(mail_texts).where(
        here(mail_texts), mail_texts.c.kind == kind, mail_texts.c.language == language
    )
    with transaction() as tx:
        return tx.execute(mine.returning(mail_texts.c.id)).first() is not None
