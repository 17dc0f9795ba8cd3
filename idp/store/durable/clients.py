"""Relying parties and services. Metadata speaks RFC 7591; what only an operator may set is apart."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete as sql_delete
from sqlalchemy import exists, select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.postgresql import insert

from idp import ids
from idp.errors import Conflict
from idp.store.database import transaction
from idp.store.durable.columns import (
    belongs,
    binary,
    here,
    home,
    index,
    instant,
    json,
    tenant_table,
    text,
    unique,
    uuid,
)

clients = tenant_table(
    "clients",
    text("client_id"),
    json("metadata"),
    json("settings"),
    text("status"),
    instant("created_at"),
    instant("updated_at"),
    uuid("application_id", null=True),
    unique("client_id"),
)

client_secrets = tenant_table(
    "client_secrets",
    uuid("client_id"),
    binary("digest"),
    binary("source_digest", null=True),
    instant("expires_at", null=True),
    instant("created_at"),
    belongs("client_id", "clients"),
    index("client_secrets", "client_id"),
)

SETTINGS: dict[str, Any] = {
    "require_consent": True,
    "require_pkce": None,
    "require_second_factor": False,
    "dynamic": False,
    "metadata_document": False,
    "software_statement": None,
    "client_secret_any": False,
    "assertion_for_token_endpoint": False,
    "rotate_refresh_tokens": True,
    "token_exchange": None,
    "may_act": None,
    "assertion_issuers": (),
    "workload_identity": None,
    "profile": None,
    "allowed_origins": (),
    "access_token_lifetime": None,
    "id_token_lifetime": None,
    "refresh_idle": None,
    "refresh_absolute": None,
    "claims": (),
    "platform_issuer": False,
}
"""What only an operator sets, with its default; None means that the tenant's policy decides."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One of a client's secrets: its SHA-256 digest, never the secret."""

    id: UUID
    digest: bytes
    source_digest: bytes | None
    expires_at: datetime | None
    created_at: datetime

    def good(self, now: datetime) -> bool:
        """Whether it has not expired at `now`."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Client:
    """A client as it is registered. `id` is ours, `client_id` is the name on the wire."""

    id: UUID
    client_id: str
    metadata: dict[str, Any]
    settings: dict[str, Any]
    status: str
    created_at: datetime
    updated_at: datetime
    secrets: tuple[ClientSecret, ...] = field(default=())
    application: UUID | None = None
    """The platform's application that it stands for; None: it is the tenant's own."""

    def setting(self, name: str) -> Any:
        """An operator's setting or its default; raises KeyError for a name that is no setting."""
        return self.settings.get(name, SETTINGS[name])

    @property
    def platform_issuer(self) -> bool:
        """Whether it is an application that knows the platform's issuer and none of the tenants'."""
        return bool(self.setting("platform_issuer"))

    @property
    def active(self) -> bool:
        """Whether it may do anything at all."""
        return self.status == "active"

    @property
    def name(self) -> str:
        """What people read: `client_name`, else the client_id."""
        return str(self.metadata.get("client_name") or self.client_id)

    @property
    def auth_method(self) -> str:
        """`token_endpoint_auth_method` (RFC 7591 section 2)."""
        return str(self.metadata.get("token_endpoint_auth_method", "client_secret_basic"))

    @property
    def public(self) -> bool:
        """Whether it has nothing to authenticate with (RFC 6749 section 2.1)."""
        return self.auth_method == "none"

    @property
    def native(self) -> bool:
        """Whether it is an application on a person's device (OpenID Connect Registration section 2)."""
        return self.metadata.get("application_type") == "native"

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """Registered redirect URIs, compared by `idp.urls.same_redirect`."""
        return tuple(self.metadata.get("redirect_uris", ()))

    @property
    def post_logout_redirect_uris(self) -> tuple[str, ...]:
        """Where a browser may go after a sign-out (OpenID Connect RP-Initiated Logout section 3.1)."""
        return tuple(self.metadata.get("post_logout_redirect_uris", ()))

    @property
    def grant_types(self) -> tuple[str, ...]:
        """Grants it may use."""
        return tuple(self.metadata.get("grant_types", ()))

    @property
    def response_types(self) -> tuple[str, ...]:
        """Response types it may use."""
        return tuple(self.metadata.get("response_types", ()))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes named in its `scope`, in their order."""
        return tuple(str(self.metadata.get("scope", "")).split())

    def secret_matches(self, given: str, now: datetime) -> bool:
        """Whether `given` is one of its unexpired secrets; takes as long whichever it is."""
        found = False
        for secret in self.secrets:
            found |= ids.same(secret.digest, ids.digest(given)) and secret.good(now)
        return found


def _secret(row: Any) -> ClientSecret:
    return ClientSecret(row.id, bytes(row.digest), _bytes(row.source_digest), row.expires_at, row.created_at)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _clients(*clauses: Any, limit: int | None = None) -> tuple[Client, ...]:
    wanted = select(clients).where(here(clients), *clauses).order_by(clients.c.client_id).limit(limit)
    with transaction(readonly=True) as tx:
        rows = tx.execute(wanted).all()
        of = client_secrets.c.client_id
        secrets: dict[UUID, list[ClientSecret]] = {row.id: [] for row in rows}
        narrow = [of.in_(secrets)] if clauses or limit else []
        sought = (
            select(client_secrets).where(here(client_secrets), *narrow).order_by(client_secrets.c.created_at)
        )
        for row in tx.execute(sought) if rows else ():
            secrets.setdefault(row.client_id, []).append(_secret(row))
    return tuple(
        Client(
            row.id,
            row.client_id,
            row.metadata,
            row.settings,
            row.status,
            row.created_at,
            row.updated_at,
            tuple(secrets[row.id]),
            row.application_id,
        )
        for row in rows
    )


def every() -> tuple[Client, ...]:
    """All clients of the tenant with their secrets' digests, by client_id: what the directory remembers."""
    return _clients()


def all_clients(limit: int = 100, after: str | None = None) -> tuple[Client, ...]:
    """At most `limit` clients, by client_id, those behind the client_id `after`."""
    return _clients(*([clients.c.client_id > after] if after is not None else []), limit=limit)


def by_client_id(client_id: str) -> Client | None:
    """The client of that name on the wire."""
    return next(iter(_clients(clients.c.client_id == client_id)), None)


def by_id(client: UUID) -> Client | None:
    """The client of that id of ours."""
    return next(iter(_clients(clients.c.id == client)), None)


def anyone_may(grant_type: str) -> bool:
    """Whether a client of the tenant may use a grant."""
    asked = exists().where(here(clients), clients.c.metadata["grant_types"].contains([grant_type]))
    with transaction(readonly=True) as tx:
        return bool(tx.scalar(select(asked)))


def of_applications() -> tuple[Client, ...]:
    """The clients that stand for applications of the platform."""
    return _clients(clients.c.application_id.is_not(None))


def create(client: Client) -> None:
    """Insert a client with its secrets. Raises Conflict when its client_id is taken."""
    row = {
        "tenant_id": home(),
        "id": client.id,
        "client_id": client.client_id,
        "metadata": client.metadata,
        "settings": client.settings,
        "status": client.status,
        "created_at": client.created_at,
        "updated_at": client.updated_at,
        "application_id": client.application,
    }
    with transaction() as tx:
        made = tx.execute(
            insert(clients).values(row).on_conflict_do_nothing().returning(clients.c.id)
        ).first()
        if made is None:
            raise Conflict("A client with this client_id exists already.", rule="clients.unique")
        for secret in client.secrets:
            add_secret(client.id, secret)


def update(client: Client) -> bool:
    """Write metadata, settings and status of a client; False when it does not exist here."""
    values = {
        "metadata": client.metadata,
        "settings": client.settings,
        "status": client.status,
        "updated_at": client.updated_at,
    }
    with transaction() as tx:
        done = tx.execute(
            sql_update(clients)
            .where(here(clients), clients.c.id == client.id)
            .values(values)
            .returning(clients.c.id)
        )
        return done.first() is not None


def delete(client: UUID) -> bool:
    """Delete a client and all that hangs off it; False when it does not exist here."""
    with transaction() as tx:
        return (
            tx.execute(
                sql_delete(clients).where(here(clients), clients.c.id == client).returning(clients.c.id)
            ).first()
            is not None
        )


def add_secret(client: UUID, secret: ClientSecret) -> None:
    """Give a client one more secret."""
    row = {
        "tenant_id": home(),
        "id": secret.id,
        "client_id": client,
        "digest": secret.digest,
        "source_digest": secret.source_digest,
        "expires_at": secret.expires_at,
        "created_at": secret.created_at,
    }
    with transaction() as tx:
        tx.execute(insert(client_secrets).values(row))


def end_secret(secret: UUID, at: datetime) -> bool:
    """Let a secret expire at `at` (a past time ends it now); False when it does not exist here."""
    wanted = (here(client_secrets), client_secrets.c.id == secret)
    with transaction() as tx:
        return (
            tx.execute(
                sql_update(client_secrets).where(*wanted).values(expires_at=at).returning(client_secrets.c.id)
            ).first()
            is not None
        )


def drop_secret(secret: UUID) -> bool:
    """Delete a secret; False when it does not exist here."""
    wanted = (here(client_secrets), client_secrets.c.id == secret)
    with transaction() as tx:
        return (
            tx.execute(sql_delete(client_secrets).where(*wanted).returning(client_secrets.c.id)).first()
            is not None
        )
