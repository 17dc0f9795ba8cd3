"""A tenant's signing keys: the public half open, the private half sealed."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from sys import intern
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from idp.store.database import transaction
from idp.store.durable.apis import apis
from idp.store.durable.clients import clients
from idp.store.durable.columns import binary, here, home, instant, json, tenant_table, text, unique

signing_keys = tenant_table(
    "signing_keys",
    text("kid"),
    text("alg"),
    json("public"),
    binary("sealed"),
    text("kek_id"),
    instant("created_at"),
    instant("publish_at"),
    instant("activate_at", null=True),
    instant("retire_at", null=True),
    instant("gone_at", null=True),
    instant("revoked_at", null=True),
    unique("kid"),
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One signing key; `public` is its JWK without private members, `sealed` empty once the key is erased."""

    id: UUID
    kid: str
    alg: str
    public: dict[str, str]
    sealed: bytes
    kek_id: str
    created_at: dt.datetime
    publish_at: dt.datetime
    activate_at: dt.datetime | None = None
    retire_at: dt.datetime | None = None
    gone_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None


_COLUMNS = [signing_keys.c[name] for name in SigningKey.__dataclass_fields__]


def _key(row: Any) -> SigningKey:
    # Ten thousand tenants' keys lie in memory: the few words that all share are kept once.
    shared = {"alg": intern(row.alg), "kek_id": intern(row.kek_id), "sealed": bytes(row.sealed)}
    return SigningKey(**{**row._mapping, **shared})


def all_keys() -> tuple[SigningKey, ...]:
    """Every key of the tenant, the oldest first."""
    query = (
        select(*_COLUMNS).where(here(signing_keys)).order_by(signing_keys.c.created_at, signing_keys.c.kid)
    )
    with transaction() as tx:
        return tuple(_key(row) for row in tx.execute(query))


def lock() -> None:
    """Hold the tenant's keys until the transaction ends: one rotation at a time, whichever node began it."""
    with transaction() as tx:
        tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"signing_keys:{home()}", 0))))


def add(key: SigningKey) -> None:
    """Keep a new key."""
    with transaction() as tx:
        tx.execute(insert(signing_keys).values(tenant_id=home(), **asdict(key)))


def reschedule(key_id: UUID, **times: dt.datetime | None) -> bool:
    """Set boundaries (`activate_at`, `retire_at`, `gone_at`, `revoked_at`) of a key; False when there is none."""
    with transaction() as tx:
        result = tx.execute(
            update(signing_keys).where(here(signing_keys), signing_keys.c.id == key_id).values(**times)
        )
        return bool(result.rowcount)


def reseal(key_id: UUID, sealed: bytes, kek_id: str) -> bool:
    """Replace the sealed private half; empty bytes erase it for good."""
    statement = update(signing_keys).where(here(signing_keys), signing_keys.c.id == key_id)
    with transaction() as tx:
        result = tx.execute(statement.values(sealed=sealed, kek_id=kek_id))
        return bool(result.rowcount)


def remove(key_ids: Iterable[UUID]) -> int:
    """Delete keys that have been gone for long; how many."""
    wanted = list(key_ids)
    with transaction() as tx:
        result = tx.execute(delete(signing_keys).where(here(signing_keys), signing_keys.c.id.in_(wanted)))
        return int(result.rowcount)


def algorithms_named() -> set[str]:
    """The signing algorithms that clients (OpenID Connect Registration 1.0 §2) and APIs of the tenant ask for."""
    asked = [
        clients.c.metadata[name].astext
        for name in (
            "id_token_signed_response_alg",
            "userinfo_signed_response_alg",
            "authorization_signed_response_alg",
            "introspection_signed_response_alg",
        )
    ]
    queries = [select(column).distinct().where(here(clients), column.is_not(None)) for column in asked]
    named = apis.c.settings["alg"].astext
    queries.append(select(named).distinct().where(here(apis), named.is_not(None)))
    with transaction() as tx:
        return {name for query in queries for name in tx.execute(query).scalars()}
