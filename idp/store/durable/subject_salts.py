"""The salt of each tenant's pairwise subjects: one row for a tenant, written once (OpenID Connect Core 1.0 §8.1)."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from idp.store.database import transaction
from idp.store.durable.columns import binary, here, home, tenant_table

subject_salts = tenant_table("subject_salts", binary("salt"))


def add(salt: bytes) -> None:
    """Keep the tenant's salt, unless it has one."""
    # Its row's id is the tenant's, so that there can be no second one.
    row = insert(subject_salts).values(tenant_id=home(), id=home(), salt=salt)
    with transaction() as tx:
        tx.execute(row.on_conflict_do_nothing())


def find() -> bytes | None:
    """The tenant's salt, or None as long as it has no pairwise client."""
    with transaction(readonly=True) as tx:
        found = tx.execute(sa.select(subject_salts.c.salt).where(here(subject_salts))).scalar_one_or_none()
    return None if found is None else bytes(found)
