"""APIs of a tenant: an audience, its scopes with a sentence each, and which client may ask for what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete as sql_delete
from sqlalchemy import select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.postgresql import insert

from idp import ids
from idp.errors import Conflict
from idp.store.database import transaction
from idp.store.durable.columns import (
    belongs,
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

apis = tenant_table(
    "apis",
    text("identifier"),
    text("name"),
    json("scopes"),
    json("settings"),
    instant("created_at"),
    unique("identifier"),
)

api_grants = tenant_table(
    "api_grants",
    uuid("api_id"),
    uuid("client_id"),
    texts("scopes"),
    belongs("api_id", "apis"),
    belongs("client_id", "clients"),
    unique("api_id", "client_id"),
    index("api_grants", "client_id"),
)

SETTINGS: dict[str, Any] = {
    "access_token_lifetime": None,
    "alg": None,
    "typ": "at+jwt",
    "introspected_by": (),
    "claims": (),
    "open_scopes": (),
    "authorization_details_types": {},
}
"""What an API decides about its tokens, with the default; None means that the tenant's policy decides."""


@dataclass(frozen=True, slots=True)
class Api:
    """A service with an audience of its own. `grants` maps our ids of clients to the scopes they may have."""

    id: UUID
    identifier: str
    name: str
    scopes: dict[str, str]
    settings: dict[str, Any]
    created_at: datetime
    grants: dict[UUID, tuple[str, ...]]

    def setting(self, name: str) -> Any:
        """A setting or its default; raises KeyError for a name that is no setting."""
        return self.settings.get(name, SETTINGS[name])

    @property
    def typ(self) -> str:
        """The `typ` header of its access tokens (RFC 9068 section 2.1)."""
        return str(self.setting("typ"))

    @property
    def introspected_by(self) -> tuple[str, ...]:
        """The client_ids that may introspect its tokens."""
        return tuple(self.setting("introspected_by"))


def _apis(*clauses: Any, limit: int | None = None) -> tuple[Api, ...]:
    wanted = select(apis).where(here(apis), *clauses).order_by(apis.c.identifier).limit(limit)
    with transaction(readonly=True) as tx:
        rows = tx.execute(wanted).all()
        grants: dict[UUID, dict[UUID, tuple[str, ...]]] = {row.id: {} for row in rows}
        narrow = [api_grants.c.api_id.in_(grants)] if clauses or limit else []
        for row in tx.execute(select(api_grants).where(here(api_grants), *narrow)) if rows else ():
            grants.setdefault(row.api_id, {})[row.client_id] = tuple(row.scopes)
    return tuple(
        Api(row.id, row.identifier, row.name, row.scopes, row.settings, row.created_at, grants[row.id])
        for row in rows
    )


def every() -> tuple[Api, ...]:
    """All APIs of the tenant with their grants, by identifier: what the directory remembers."""
    return _apis()


def all_apis(limit: int = 100, after: str | None = None) -> tuple[Api, ...]:
    """At most `limit` APIs, by identifier, those behind the identifier `after`."""
    return _apis(*([apis.c.identifier > after] if after is not None else []), limit=limit)


def by_identifier(identifier: str) -> Api | None:
    """The API of that audience."""
    return next(iter(_apis(apis.c.identifier == identifier)), None)


def by_id(api: UUID) -> Api | None:
    """The API of that id of ours."""
    return next(iter(_apis(apis.c.id == api)), None)


def create(api: Api) -> None:
    """Insert an API with its grants. Raises Conflict when its identifier is taken."""
    row = {
        "tenant_id": home(),
        "id": api.id,
        "identifier": api.identifier,
        "name": api.name,
        "scopes": api.scopes,
        "settings": api.settings,
        "created_at": api.created_at,
    }
    with transaction() as tx:
        made = tx.execute(insert(apis).values(row).on_conflict_do_nothing().returning(apis.c.id)).first()
        if made is None:
            raise Conflict("An API with this identifier exists already.", rule="apis.unique")
        for client, scopes in api.grants.items():
            grant(api.id, client, scopes)


def update(api: Api) -> bool:
    """Write name, scopes and settings of an API; False when it does not exist here."""
    values = {"name": api.name, "scopes": api.scopes, "settings": api.settings}
    with transaction() as tx:
        done = tx.execute(
            sql_update(apis).where(here(apis), apis.c.id == api.id).values(values).returning(apis.c.id)
        )
        return done.first() is not None


def delete(api: UUID) -> bool:
    """Delete an API, its grants and its roles; False when it does not exist here."""
    with transaction() as tx:
        return (
            tx.execute(sql_delete(apis).where(here(apis), apis.c.id == api).returning(apis.c.id)).first()
            is not None
        )


def grant(api: UUID, client: UUID, scopes: tuple[str, ...]) -> None:
    """Let a client ask for these scopes of an API, in place of those that it had."""
    row = {"tenant_id": home(), "id": ids.uuid7(), "api_id": api, "client_id": client, "scopes": list(scopes)}
    key = [api_grants.c.tenant_id, api_grants.c.api_id, api_grants.c.client_id]
    with transaction() as tx:
        made = insert(api_grants).values(row)
        tx.execute(made.on_conflict_do_update(index_elements=key, set_={"scopes": list(scopes)}))


def ungrant(api: UUID, client: UUID) -> bool:
    """Take a client's grant for an API away; False when there is none here."""
    wanted = (here(api_grants), api_grants.c.api_id == api, api_grants.c.client_id == client)
    with transaction() as tx:
        return (
            tx.execute(sql_delete(api_grants).where(*wanted).returning(api_grants.c.id)).first() is not None
        )
