"""What a code became: the grant, its refresh tokens, and the access tokens revoked before their time."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Integer
from sqlalchemy.dialects.postgresql import insert

from idp import clock
from idp.ids import digest, uuid7
from idp.store.database import transaction
from idp.store.durable.clients import clients
from idp.store.durable.columns import (
    belongs,
    binary,
    first_counts,
    here,
    home,
    index,
    instant,
    json,
    tenant_table,
    text,
    texts,
    unique,
    uuid,
)

grants = tenant_table(
    "grants",
    binary("code_digest"),
    uuid("user_id"),
    uuid("client_id"),
    uuid("session_id", null=True),
    texts("scopes"),
    texts("resources"),
    json("claims"),
    text("acr"),
    texts("amr"),
    instant("auth_time"),
    Column("offline", Boolean, nullable=False),
    instant("created_at"),
    instant("expires_at"),
    instant("revoked_at", null=True),
    text("revoked_reason", null=True),
    json("cnf", null=True),
    uuid("parent_id", null=True),
    json("act", null=True),
    json("authorization_details", null=True),
    belongs("user_id", "users"),
    belongs("client_id", "clients"),
    belongs("session_id", "sessions", survives=True),
    unique("code_digest"),
    belongs("parent_id", "grants"),
    index("grants", "user_id"),
    index("grants", "client_id"),
    index("grants", "session_id"),
    index("grants", "parent_id"),
    index("grants", "expires_at"),
)

refresh_tokens = tenant_table(
    "refresh_tokens",
    uuid("grant_id"),
    binary("digest"),
    Column("generation", Integer, nullable=False),
    instant("created_at"),
    instant("consumed_at", null=True),
    instant("expires_at"),
    belongs("grant_id", "grants"),
    unique("digest"),
    unique("grant_id", "generation"),
)

revoked_tokens = tenant_table(
    "revoked_tokens",
    binary("jti_digest"),
    instant("expires_at"),
    unique("jti_digest"),
    index("revoked_tokens", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one authorization allows one client for one person, until it expires or is revoked."""

    id: UUID
    code_digest: bytes
    user_id: UUID
    client_id: UUID
    session_id: UUID | None
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    claims: dict[str, Any]
    acr: str
    amr: tuple[str, ...]
    auth_time: dt.datetime
    offline: bool
    created_at: dt.datetime
    expires_at: dt.datetime
    revoked_at: dt.datetime | None = None
    revoked_reason: str | None = None
    cnf: dict[str, str] | None = None
    """What its tokens are bound to (RFC 7800)."""
    parent_id: UUID | None = None
    """The grant from which a token was exchanged for this one: it ends with that (RFC 8693)."""
    act: dict[str, Any] | None = None
    """Who acts for the person, and for whom that one acted (RFC 8693 §4.1)."""
    authorization_details: list[dict[str, Any]] | None = None
    """What was allowed in detail (RFC 9396)."""


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One generation of a grant's refresh token: its digest, and when it was used."""

    id: UUID
    grant_id: UUID
    digest: bytes
    generation: int
    created_at: dt.datetime
    consumed_at: dt.datetime | None
    expires_at: dt.datetime


EXCHANGED_FROM = "exchanged_from"
"""Among the claims of a grant that came by exchange: the `jti` of the token that was exchanged."""
GRANT = [grants.c[name] for name in Grant.__dataclass_fields__]
_REFRESH = [refresh_tokens.c[name] for name in RefreshToken.__dataclass_fields__]


# Clients are remembered elsewhere for half a second; whoever reads a grant is told at once when its client is off.
OF_ACTIVE_CLIENT = sa.and_(
    clients.c.tenant_id == grants.c.tenant_id,
    clients.c.id == grants.c.client_id,
    clients.c.status == "active",
)

# In the way of every token, so built once.
_HERE: Any = sa.bindparam("tenant")
_WANTED: Any = sa.bindparam("wanted")
_ADD = first_counts(grants)
_BY_ID = (
    sa.select(*GRANT)
    .join(clients, OF_ACTIVE_CLIENT)
    .where(grants.c.tenant_id == _HERE, grants.c.id == _WANTED)
)
_BY_REFRESH = (
    sa.select(*_REFRESH, *GRANT)
    .join_from(
        refresh_tokens, grants, sa.and_(grants.c.tenant_id == _HERE, grants.c.id == refresh_tokens.c.grant_id)
    )
    .join(clients, OF_ACTIVE_CLIENT)
    .where(refresh_tokens.c.tenant_id == _HERE, refresh_tokens.c.digest == _WANTED)
)
_BY_REFRESH_HELD = _BY_REFRESH.with_for_update(of=[refresh_tokens, grants])
_ADD_REFRESH = sa.insert(refresh_tokens)  # the dialect's own insert is compiled anew each time
_CONSUME = (
    sa.update(refresh_tokens)
    .where(refresh_tokens.c.tenant_id == _HERE, refresh_tokens.c.id == _WANTED)
    .where(refresh_tokens.c.consumed_at.is_(None))
    .values(consumed_at=sa.bindparam("at"))
    .returning(refresh_tokens.c.id)
)
_CLIENT_HELD = (
    sa.select(clients.c.id)
    .where(clients.c.tenant_id == _HERE, clients.c.id == _WANTED, clients.c.status == "active")
    .with_for_update(read=True, key_share=True)
)
_REVOKED = sa.select(revoked_tokens.c.id).where(
    revoked_tokens.c.tenant_id == _HERE, revoked_tokens.c.jti_digest == _WANTED
)


def made(row: Sequence[Any]) -> Grant:
    """A grant from the columns GRANT, in their order."""
    values = dict(zip(Grant.__dataclass_fields__, row, strict=True))
    values["code_digest"] = bytes(values["code_digest"])
    return Grant(**values | {name: tuple(values[name]) for name in ("scopes", "resources", "amr")})


def _refresh(row: Sequence[Any]) -> RefreshToken:
    values = dict(zip(RefreshToken.__dataclass_fields__, row, strict=True))
    return RefreshToken(**values | {"digest": bytes(values["digest"])})


def add(grant: Grant) -> bool:
    """Keep a grant; False when its code became one already (the unique digest is the last word on that)."""
    values = {name: getattr(grant, name) for name in Grant.__dataclass_fields__}
    for name in ("scopes", "resources", "amr"):
        values[name] = list(values[name])
    with transaction() as tx:
        return tx.execute(_ADD, {"tenant_id": home(), **values}).first() is not None


def client_stands(client_id: UUID) -> bool:
    """Whether the client is there and active, its row held so that it cannot be deleted before we commit."""
    with transaction() as tx:
        return tx.execute(_CLIENT_HELD, {"tenant": home(), "wanted": client_id}).first() is not None


def by_id(grant_id: UUID) -> Grant | None:
    """The grant, or None; also when its client is not active."""
    with transaction(readonly=True) as tx:
        row = tx.execute(_BY_ID, {"tenant": home(), "wanted": grant_id}).one_or_none()
    return None if row is None else made(row)


def by_code(code_digest: bytes) -> Grant | None:
    """What the code with this digest became, or None."""
    with transaction(readonly=True) as tx:
        row = tx.execute(
            sa.select(*GRANT).where(here(grants), grants.c.code_digest == code_digest)
        ).one_or_none()
    return None if row is None else made(row)


def by_refresh(digest: bytes, *, held: bool) -> tuple[RefreshToken, Grant] | None:
    """A refresh token and its grant, or None, also when their client is not active.

    `held` locks both until the transaction ends.
    """
    with transaction(readonly=not held) as tx:
        row = tx.execute(
            _BY_REFRESH_HELD if held else _BY_REFRESH, {"tenant": home(), "wanted": digest}
        ).one_or_none()
    return None if row is None else (_refresh(row[: len(_REFRESH)]), made(row[len(_REFRESH) :]))


def add_refresh(token: RefreshToken) -> None:
    """Keep a refresh token."""
    values = {name: getattr(token, name) for name in RefreshToken.__dataclass_fields__}
    with transaction() as tx:
        tx.execute(_ADD_REFRESH, {"tenant_id": home(), **values})


def consume(token_id: UUID, at: dt.datetime) -> bool:
    """Burn a refresh token; False when it was burned already."""
    with transaction() as tx:
        return tx.execute(_CONSUME, {"tenant": home(), "wanted": token_id, "at": at}).first() is not None


def prolong(token_id: UUID, expires_at: dt.datetime) -> None:
    """Let a refresh token that does not rotate live on."""
    with transaction() as tx:
        tx.execute(
            sa.update(refresh_tokens)
            .where(here(refresh_tokens), refresh_tokens.c.id == token_id)
            .values(expires_at=expires_at)
        )


def successor(grant_id: UUID, generation: int) -> RefreshToken | None:
    """The refresh token of the next generation, or None."""
    statement = sa.select(*_REFRESH).where(
        here(refresh_tokens),
        refresh_tokens.c.grant_id == grant_id,
        refresh_tokens.c.generation == generation + 1,
    )
    with transaction(readonly=True) as tx:
        row = tx.execute(statement).one_or_none()
    return None if row is None else _refresh(row)


def stands(grant_id: UUID) -> bool:
    """Whether a grant is not revoked, its row held so that it is not until we commit."""
    statement = sa.select(grants.c.id).where(
        here(grants), grants.c.id == grant_id, grants.c.revoked_at.is_(None)
    )
    with transaction() as tx:
        return tx.execute(statement.with_for_update(read=True)).first() is not None


def _revoke(reason: str, *clauses: Any) -> int:
    """Revoke what fits, and what came from it by exchange; how many fitted."""
    with transaction():
        ended = found = _revoked(reason, *clauses)
        while ended:
            ended = _revoked(reason, grants.c.parent_id.in_(ended))
    return len(found)


def _revoked(reason: str, *clauses: Any) -> list[UUID]:
    statement = (
        sa.update(grants)
        .where(here(grants), grants.c.revoked_at.is_(None), *clauses)
        .values(revoked_at=clock.now(), revoked_reason=reason)
    )
    with transaction() as tx:
        return list(tx.execute(statement.returning(grants.c.id)).scalars())


def revoke(grant_id: UUID, reason: str) -> bool:
    """Revoke a grant with all its tokens; False when it was revoked already."""
    return _revoke(reason, grants.c.id == grant_id) > 0


def revoke_of_session(session_id: UUID, reason: str) -> int:
    """Revoke the grants that end with a session; how many. Offline grants outlive it."""
    return _revoke(reason, grants.c.session_id == session_id, grants.c.offline.is_(False))


def revoke_in_sessions(user_id: UUID, reason: str) -> int:
    """Revoke every grant of a person that ends with a session; how many. Offline grants outlive it."""
    return _revoke(reason, grants.c.user_id == user_id, grants.c.offline.is_(False))


def revoke_of_user(user_id: UUID, reason: str, client_id: UUID | None = None) -> int:
    """Revoke every grant of a person, or those for one client; how many."""
    narrower = [] if client_id is None else [grants.c.client_id == client_id]
    return _revoke(reason, grants.c.user_id == user_id, *narrower)


@dataclass(frozen=True, slots=True)
class Access:
    """What a client (its row's id) has of a person now; `offline`: whether it outlives a sign-out."""

    client_id: UUID
    since: dt.datetime
    scopes: frozenset[str]
    offline: bool


def accesses(user_id: UUID, at: dt.datetime) -> tuple[Access, ...]:
    """The clients that have live grants of a person, all grants of a client together."""
    statement = sa.select(grants.c.client_id, grants.c.created_at, grants.c.scopes, grants.c.offline).where(
        here(grants), grants.c.user_id == user_id, grants.c.revoked_at.is_(None), grants.c.expires_at > at
    )
    found: dict[UUID, Access] = {}
    with transaction(readonly=True) as tx:
        for client, since, scopes, offline in tx.execute(
            statement.order_by(grants.c.created_at).limit(10_000)
        ):
            known = found.get(client, Access(client, since, frozenset(), False))
            found[client] = Access(client, known.since, known.scopes | {*scopes}, known.offline or offline)
    return tuple(found.values())


def offline_clients(user_id: UUID, at: dt.datetime) -> tuple[UUID, ...]:
    """The clients that keep access to a person's data after a sign-out."""
    statement = (
        sa.select(grants.c.client_id)
        .where(
            here(grants),
            grants.c.user_id == user_id,
            grants.c.offline.is_(True),
            grants.c.revoked_at.is_(None),
            grants.c.expires_at > at,
        )
        .distinct()
    )
    with transaction(readonly=True) as tx:
        return tuple(tx.execute(statement).scalars())


def revoke_token(jti: str, expires_at: dt.datetime, grant_id: UUID | None = None) -> None:
    """Remember that one access token is revoked, until it would have expired.

    `grant_id`: whose it is; what was exchanged from this very token ends with it. Whoever exchanges it at the moment
    holds the grant (`stands`) until that can be seen.
    """
    values = {"tenant_id": home(), "id": uuid7(), "jti_digest": digest(jti), "expires_at": expires_at}
    with transaction() as tx:
        if grant_id is not None:
            tx.execute(sa.select(grants.c.id).where(here(grants), grants.c.id == grant_id).with_for_update())
        tx.execute(insert(revoked_tokens).values(values).on_conflict_do_nothing())
        if grant_id is not None:
            _revoke(
                "token revoked", grants.c.parent_id == grant_id, grants.c.claims[EXCHANGED_FROM].astext == jti
            )


def token_revoked(jti: str) -> bool:
    """Whether this access token was revoked by itself."""
    with transaction(readonly=True) as tx:
        return tx.execute(_REVOKED, {"tenant": home(), "wanted": digest(jti)}).first() is not None


def purge(before: dt.datetime, limit: int = 1000) -> int:
    """Delete grants and revocations that ended before `before`; how many."""
    gone = 0
    with transaction() as tx:
        for table in (grants, revoked_tokens):
            old = sa.select(table.c.id).where(here(table), table.c.expires_at < before).limit(limit)
            gone += len(
                tx.execute(
                    sa.delete(table)
                    .where(here(table), table.c.id.in_(old.scalar_subquery()))
                    .returning(table.c.id)
                ).all()
            )
    return gone
