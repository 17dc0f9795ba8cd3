"""What client_credentials left behind: written in batches by the journal, so that the request waits for nothing."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Column, Integer, delete, insert, select

from idp.store import database
from idp.store.database import transaction
from idp.store.durable.columns import here, home, index, instant, tenant_table, text, texts, uuid

activity = tenant_table(
    "activity",
    uuid("client_id"),
    text("kind"),
    texts("scopes"),
    Column("count", Integer, nullable=False),
    instant("at"),
    text("request_id", null=True),
    index("activity", "at"),
)


@dataclass(frozen=True, slots=True)
class Activity:
    """`count` token requests of one client and kind within one batch; `request_id` where it was one alone."""

    id: UUID
    client_id: UUID
    kind: str
    scopes: list[str]
    count: int
    at: dt.datetime
    request_id: str | None


# Not asdict, which copies every value: hundreds of rows a second go this way beside the requests.
_VALUES = attrgetter(*Activity.__dataclass_fields__)
_COLUMNS = [activity.c[name] for name in Activity.__dataclass_fields__]


def insert_all(rows: Sequence[Activity]) -> None:
    """Write rows of the tenant in one statement."""
    if rows:
        tenant_id = home()
        with transaction() as tx:
            tx.execute(insert(activity), [{"tenant_id": tenant_id, **asdict(row)} for row in rows])


def insert_each(rows: Mapping[UUID, Sequence[Activity]]) -> None:
    """Write rows of several tenants, by tenant, all or none, in one round trip."""
    if rows:
        values = {tenant_id: [_VALUES(row) for row in of_tenant] for tenant_id, of_tenant in rows.items()}
        database.insert_each(activity, list(Activity.__dataclass_fields__), values)


def recent(limit: int = 100) -> tuple[Activity, ...]:
    """The newest rows of the tenant."""
    query = (
        select(*_COLUMNS)
        .where(here(activity))
        .order_by(activity.c.at.desc(), activity.c.id.desc())
        .limit(limit)
    )
    with transaction(readonly=True) as tx:
        return tuple(Activity(**row._mapping) for row in tx.execute(query))


def purge(before: dt.datetime) -> int:
    """Delete rows older than `before`; how many."""
    with transaction() as tx:
        result = tx.execute(delete(activity).where(here(activity), activity.c.at < before))
        return int(result.rowcount)
