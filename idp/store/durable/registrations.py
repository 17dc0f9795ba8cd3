"""Applications that registered themselves: the token with which each manages itself, and what lets them begin.

RFC 7591 section 3, RFC 7592. Both kinds of token are kept as digests.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.activity import activity
from idp.store.durable.clients import clients
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
from idp.store.durable.grants import grants

registrations = tenant_table(
    "registrations",
    uuid("client_id"),
    binary("digest"),
    instant("created_at"),
    instant("used_at", null=True),
    binary("origin", null=True),
    unique("client_id"),
    belongs("client_id", "clients"),
    index("registrations", "origin"),
)

initial_access_tokens = tenant_table(
    "initial_access_tokens",
    binary("digest"),
    text("note"),
    sa.Column("uses_left", sa.Integer, nullable=True),
    instant("created_at"),
    instant("expires_at"),
    unique("digest"),
    index("initial_access_tokens", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class InitialToken:
    """Lets somebody register: `uses_left` times, or as often as they like (None), until `expires_at`."""

    id: UUID
    digest: bytes
    note: str
    uses_left: int | None
    created_at: dt.datetime
    expires_at: dt.datetime


_INITIAL = [initial_access_tokens.c[name] for name in InitialToken.__dataclass_fields__]


def add(client: UUID, digest: bytes, at: dt.datetime, origin: bytes | None = None) -> None:
    """Note that a client (its row's id) registered itself, the digest of its token, and of the network it came from."""
    row = {"client_id": client, "digest": digest, "created_at": at, "origin": origin}
    with transaction() as tx:
        tx.execute(sa.insert(registrations), {"tenant_id": home(), "id": uuid7(), **row})


def held(client: UUID) -> bytes | None:
    """The digest of the token of a client, its row locked until the transaction ends; None for any other client."""
    wanted = sa.select(registrations.c.digest).where(here(registrations), registrations.c.client_id == client)
    with transaction() as tx:
        found = tx.execute(wanted.with_for_update()).scalar_one_or_none()
    return None if found is None else bytes(found)


def renew(client: UUID, digest: bytes) -> None:
    """Replace the token of a client."""
    mine = sa.update(registrations).where(here(registrations), registrations.c.client_id == client)
    with transaction() as tx:
        tx.execute(mine.values(digest=digest))


def count(origin: bytes | None = None) -> int:
    """How many clients registered themselves, in all or from one network."""
    wanted = sa.select(sa.func.count()).select_from(registrations).where(here(registrations))
    if origin is not None:
        wanted = wanted.where(registrations.c.origin == origin)
    with transaction(readonly=True) as tx:
        return int(tx.scalar(wanted))


def _granted() -> Any:
    """The clause that a client has a grant, or did something lately."""
    mine = registrations
    granted = sa.select(grants.c.id).where(here(grants), grants.c.client_id == mine.c.client_id).exists()
    active = sa.select(activity.c.id).where(here(activity), activity.c.client_id == mine.c.client_id).exists()
    return sa.or_(granted, active)


def _unused() -> Any:
    """The clause that nothing tells of its use and nobody vouches for it."""
    mine, its = registrations, clients.alias()
    unvouched = (
        sa.select(its.c.id)
        .where(
            its.c.tenant_id == home(),
            its.c.id == mine.c.client_id,
            its.c.settings.contains({"dynamic": True}),
        )
        .exists()
    )
    return sa.and_(here(mine), mine.c.used_at.is_(None), ~_granted(), unvouched)


def most_unused() -> bytes | None:
    """The network that holds the most clients which never got a token; None where none holds several."""
    mine = registrations
    ranked = (
        sa.select(mine.c.origin)
        .where(_unused(), mine.c.origin.is_not(None))
        .group_by(mine.c.origin)
        .having(sa.func.count() > 1)
        .order_by(sa.func.count().desc(), mine.c.origin)
        .limit(1)
    )
    with transaction(readonly=True) as tx:
        found = tx.execute(ranked).scalar_one_or_none()
    return None if found is None else bytes(found)


def oldest_unused(origin: bytes) -> tuple[UUID, str] | None:
    """The client (its row's id, its client_id) from this network that registered first and never got a token."""
    mine = registrations
    wanted = (
        sa.select(clients.c.id, clients.c.client_id)
        .join(mine, sa.and_(here(mine), mine.c.client_id == clients.c.id))
        .where(here(clients), _unused(), mine.c.origin == origin)
        .order_by(mine.c.created_at, mine.c.id)
        .limit(1)
    )
    with transaction() as tx:
        found = tx.execute(wanted).first()
    return None if found is None else (found.id, found.client_id)


def purge_unused(before: dt.datetime, now: dt.datetime) -> int:
    """Delete clients that registered themselves before `before` and never got a token; how many.

    Whoever has got one is marked, because the rows that tell of it are swept up as well; one for which an operator
    vouches stays.
    """
    mine = registrations
    unmarked = sa.and_(here(mine), mine.c.used_at.is_(None))
    with transaction() as tx:
        tx.execute(sa.update(mine).where(unmarked, _granted()).values(used_at=now))
        old = sa.select(mine.c.client_id).where(_unused(), mine.c.created_at < before).limit(1000)
        gone = sa.delete(clients).where(here(clients), clients.c.id.in_(old.scalar_subquery()))
        return len(tx.execute(gone.returning(clients.c.id)).all())


def purge_described(before: dt.datetime) -> int:
    """Delete clients that describe themselves, were kept before `before` and of which nothing is left in use; how many.

    Whoever needs one of them again allows it again: its document makes it anew.
    """
    mine, its = registrations, clients.c.settings
    granted = sa.select(grants.c.id).where(here(grants), grants.c.client_id == clients.c.id).exists()
    active = sa.select(activity.c.id).where(here(activity), activity.c.client_id == clients.c.id).exists()
    unvouched = its.contains({"metadata_document": True, "dynamic": True})
    old = sa.select(mine.c.client_id).where(here(mine), mine.c.created_at < before)
    gone = sa.delete(clients).where(
        here(clients), clients.c.id.in_(old.scalar_subquery()), unvouched, ~granted, ~active
    )
    with transaction() as tx:
        return len(tx.execute(gone.returning(clients.c.id)).all())


def add_initial(token: InitialToken) -> None:
    """Keep an initial access token."""
    row = {name: getattr(token, name) for name in InitialToken.__dataclass_fields__}
    with transaction() as tx:
        tx.execute(sa.insert(initial_access_tokens), {"tenant_id": home(), **row})


def initial_tokens(now: dt.datetime) -> tuple[InitialToken, ...]:
    """Every initial access token that has not expired, the oldest first."""
    wanted = sa.select(*_INITIAL).where(here(initial_access_tokens), initial_access_tokens.c.expires_at > now)
    with transaction(readonly=True) as tx:
        rows = tx.execute(wanted.order_by(initial_access_tokens.c.created_at)).all()
    return tuple(InitialToken(row.id, bytes(row.digest), *row[2:]) for row in rows)


def use_initial(digest: bytes, now: dt.datetime) -> UUID | None:
    """Use an initial access token once, atomically: its id, or None where it is unknown, expired or used up."""
    mine = initial_access_tokens
    good = sa.or_(mine.c.uses_left.is_(None), mine.c.uses_left > 0)
    used = (
        sa.update(mine)
        .where(here(mine), mine.c.digest == digest, mine.c.expires_at > now, good)
        .values(uses_left=mine.c.uses_left - 1)
        .returning(mine.c.id)
    )
    with transaction() as tx:
        return tx.execute(used).scalar_one_or_none()


def drop_initial(token: UUID) -> bool:
    """Delete an initial access token; False when it does not exist here."""
    mine = initial_access_tokens
    with transaction() as tx:
        gone = sa.delete(mine).where(here(mine), mine.c.id == token).returning(mine.c.id)
        return tx.execute(gone).first() is not None


def purge_initial(before: dt.datetime, limit: int = 1000) -> int:
    """Delete initial access tokens that expired before `before`; how many."""
    mine = initial_access_tokens
    old = sa.select(mine.c.id).where(here(mine), mine.c.expires_at < before).limit(limit).scalar_subquery()
    with transaction() as tx:
        return len(
            tx.execute(sa.delete(mine).where(here(mine), mine.c.id.in_(old)).returning(mine.c.id)).all()
        )
