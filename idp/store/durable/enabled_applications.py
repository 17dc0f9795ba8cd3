"""What a tenant is to have of the platform's applications: operators write the rows, the tenant reads its own.

A row says what the client that stands for the application is to be, so that whoever has entered the tenant can keep
it in step without looking at anybody else's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, select

from idp.store.database import transaction
from idp.store.durable.clients import ClientSecret
from idp.store.durable.columns import here, json, tenant_table, text, unique, uuid

enabled_applications = tenant_table(
    "enabled_applications",
    uuid("application_id"),
    text("client_id"),
    json("metadata"),
    json("settings"),
    json("secrets"),
    text("status"),
    Column("enabled", Boolean, nullable=False),
    unique("application_id"),
    unique("client_id"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The client that a tenant is to have for an application."""

    application: UUID
    client_id: str
    metadata: dict[str, Any]
    settings: dict[str, Any]
    secrets: tuple[ClientSecret, ...]
    status: str

    @property
    def active(self) -> bool:
        """Whether it may do anything there."""
        return self.status == "active"


def every() -> tuple[Wanted, ...]:
    """What the entered tenant is to have, by client_id."""
    table = enabled_applications
    wanted = select(table).where(here(table)).order_by(table.c.client_id)
    with transaction(readonly=True) as tx:
        return tuple(
            Wanted(
                row.application_id,
                row.client_id,
                row.metadata,
                row.settings,
                secrets(row.secrets),
                row.status,
            )
            for row in tx.execute(wanted)
        )


def kept(one: ClientSecret) -> dict[str, Any]:
    """A secret's digests and times as they stand in a document."""
    return {
        "id": str(one.id),
        "digest": one.digest.hex(),
        "source_digest": one.source_digest.hex() if one.source_digest else None,
        "expires_at": one.expires_at.isoformat() if one.expires_at else None,
        "created_at": one.created_at.isoformat(),
    }


def secrets(documents: list[dict[str, Any]]) -> tuple[ClientSecret, ...]:
    """The secrets of a row."""
    return tuple(
        ClientSecret(
            UUID(one["id"]),
            bytes.fromhex(one["digest"]),
            bytes.fromhex(one["source_digest"]) if one["source_digest"] else None,
            datetime.fromisoformat(one["expires_at"]) if one["expires_at"] else None,
            datetime.fromisoformat(one["created_at"]),
        )
        for one in documents
    )
