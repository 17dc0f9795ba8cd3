"""Which rule refused a request, for `idp explain`; kept for seven days."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import delete, insert, select

from idp.store.database import transaction
from idp.store.durable.columns import here, home, index, instant, tenant_table, text

refusals = tenant_table(
    "refusals",
    text("request_id"),
    instant("at"),
    text("code"),
    text("rule", null=True),
    text("expected", null=True),
    text("got", null=True),
    text("setting", null=True),
    text("path"),
    index("refusals", "request_id"),
    index("refusals", "at"),
)


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal: what the rule expected and got, redacted, and the setting that decides."""

    id: UUID
    request_id: str
    at: dt.datetime
    code: str
    rule: str | None
    expected: str | None
    got: str | None
    setting: str | None
    path: str


_COLUMNS = [refusals.c[name] for name in Refused.__dataclass_fields__]


def insert_all(rows: Sequence[Refused]) -> None:
    """Write refusals of the tenant in one statement."""
    if rows:
        tenant_id = home()
        with transaction() as tx:
            tx.execute(insert(refusals), [{"tenant_id": tenant_id, **asdict(row)} for row in rows])


def find(request_id: str, since: dt.datetime) -> tuple[Refused, ...]:
    """The refusals of one request not older than `since`, in order."""
    query = select(*_COLUMNS).where(
        here(refusals), refusals.c.request_id == request_id, refusals.c.at >= since
    )
    with transaction(readonly=True) as tx:
        return tuple(Refused(**row._mapping) for row in tx.execute(query.order_by(refusals.c.id)))


def purge(before: dt.datetime) -> int:
    """Delete refusals older than `before`; how many."""
    with transaction() as tx:
        result = tx.execute(delete(refusals).where(here(refusals), refusals.c.at < before))
        return int(result.rowcount)
