"""Operators' verbs for the applications of the entered tenant, each with one event in the same transaction.

Fields are client metadata by its RFC 7591 names and, beside them, the settings of
`idp.store.durable.clients.SETTINGS`. A secret is shown once, by the verb that made it, and kept as a digest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from idp import audit, clock, identifiers, ids, registration
from idp.accounts import subjects
from idp.audit import Actor, Event
from idp.control import sectors, telling
from idp.errors import Conflict, InvalidClientMetadata, NotFound
from idp.store.database import transaction
from idp.store.durable import clients
from idp.store.durable.clients import SETTINGS, Client, ClientSecret

SHORTEST = 32  # characters of a secret that an operator supplies
MOST_SECRETS = 2  # good at a time: the new one, and the old one until everyone has the new one
STATUSES = ("active", "suspended")
_SECRET = re.compile(r"[!-~]{32,256}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Made:
    """A client, and the secret that was made for it now, which nobody can show again."""

    client: Client
    client_secret: str | None = field(default=None, repr=False)
    client_secret_expires_at: int = 0  # epoch seconds; 0: never (RFC 7591 section 3.2.1)


def create(
    client_id: str,
    fields: Mapping[str, Any],
    actor: Actor | None = None,
    *,
    client_secret: str | None = None,
    source_digest: bytes | None = None,
    expires_at: datetime | None = None,
) -> Made:
    """A new client; a secret is made for it where it needs one and none is given.

    Raises InvalidClientMetadata or InvalidRedirectUri naming the field, Conflict when the client_id is taken.
    """
    checked_id(client_id)
    metadata, settings, status = validated(client_id, fields, None)
    sectors.check(metadata)
    at = clock.now()
    secret, made = secret_for(metadata, client_secret)
    kept = (kept_secret(secret, source_digest, expires_at),) if secret else ()
    client = Client(ids.uuid7(), client_id, metadata, settings, status or "active", at, at, kept)
    with transaction():
        clients.create(client)
        subjects.prepare(client)
        audit.record(Event.CLIENT_CREATED, actor, client_id=client_id)
    telling.changed(*map(metadata.get, registration.SIGNED))
    return Made(client, made, int(expires_at.timestamp()) if expires_at and secret else 0)


def checked_id(client_id: object) -> None:
    """Raises InvalidClientMetadata for what cannot be a client_id."""
    try:
        identifiers.client_id(client_id)
    except ValueError as problem:
        raise InvalidClientMetadata(f"client_id {problem}.", rule="client_id") from None


def split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Metadata, settings and status among `fields`. Raises InvalidClientMetadata for a wrong status."""
    rest = dict(fields)
    status = rest.pop("status", None)
    if status is not None and status not in STATUSES:
        raise InvalidClientMetadata(f"status must be one of {', '.join(STATUSES)}.", rule="status")
    settings = {name: rest.pop(name) for name in SETTINGS if name in rest}
    return rest, settings, status


def validated(
    client_id: str, fields: Mapping[str, Any], present: Client | None
) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Metadata, settings and status of a client after `fields`. Raises InvalidClientMetadata, InvalidRedirectUri."""
    metadata, settings, status = split(fields)
    new, kept = registration.validate(metadata, settings=settings, current=present)
    new.setdefault("client_name", client_id)  # what people read, so that whoever asks sees it too
    return new, kept, status


def secret_for(metadata: Mapping[str, Any], given: str | None) -> tuple[str | None, str | None]:
    """The secret to keep, and the part of it that must be shown because we made it."""
    needed = metadata["token_endpoint_auth_method"] in registration.SECRET_METHODS
    if given is not None:
        if not needed:
            raise InvalidClientMetadata(
                "client_secret is not for a client of this token_endpoint_auth_method.", rule="client_secret"
            )
        return checked_secret(given), None
    made = ids.secret() if needed else None
    return made, made


def checked_secret(given: object) -> str:
    """A secret that an operator supplies: 32 to 256 visible ASCII characters."""
    if not isinstance(given, str) or not _SECRET.fullmatch(given):
        raise InvalidClientMetadata(
            f"client_secret must have {SHORTEST} to 256 visible ASCII characters.", rule="client_secret"
        )
    return given


def kept_secret(secret: str, source_digest: bytes | None, expires_at: datetime | None) -> ClientSecret:
    """A secret as it is kept."""
    return ClientSecret(ids.uuid7(), ids.digest(secret), source_digest, expires_at, clock.now())


def own(client_id: str) -> Client:
    """The client of that client_id, which is the tenant's own to change. Raises NotFound, Conflict."""
    client = show(client_id)
    if client.application is not None:
        raise Conflict(
            f"{client_id} is an application of the platform: idp application changes it.", rule="application"
        )
    return client


def show(client_id: str) -> Client:
    """The client of that client_id. Raises NotFound."""
    client = clients.by_client_id(client_id)
    if client is None:
        raise NotFound("There is no such client.", rule="client_id")
    return client


def list_(limit: int = 100, after: str | None = None) -> tuple[Client, ...]:
    """At most `limit` clients (100 at most), by client_id, those behind the client_id `after`."""
    return clients.all_clients(min(max(limit, 1), 100), after)


def update(client_id: str, fields: Mapping[str, Any], actor: Actor | None = None) -> Made:
    """Change what is given; None puts a default back. A secret is made when the client needs its first one.

    Raises NotFound, InvalidClientMetadata or InvalidRedirectUri naming the field.
    """
    before = own(client_id).metadata
    sectors.check({**before, **fields}, before)  # nobody is waited for in a transaction
    with transaction():
        present = own(client_id)
        metadata, settings, status = validated(client_id, fields, present)
        sectors.check(metadata, present.metadata)
        new = replace(present, metadata=metadata, settings=settings, status=status or present.status)
        changed = differences(present, new)
        made = None
        if not changed:
            return Made(present)
        clients.update(replace(new, updated_at=clock.now()))
        subjects.prepare(new)
        if metadata["token_endpoint_auth_method"] not in registration.SECRET_METHODS:
            for secret in present.secrets:
                clients.drop_secret(secret.id)
        elif not present.secrets:
            made = ids.secret()
            clients.add_secret(present.id, kept_secret(made, None, None))
        audit.record(_event(present, new), actor, client_id=client_id, changed=changed)
    telling.changed(*map(metadata.get, registration.SIGNED))
    return Made(show(client_id), made)


def differences(one: Client, other: Client) -> list[str]:
    """Names of the metadata and settings in which two states of a client differ."""
    different = set()
    for left, right in ((one.metadata, other.metadata), (one.settings, other.settings)):
        different |= {name for name in {*left, *right} if left.get(name) != right.get(name)}
    return sorted(different | ({"status"} if one.status != other.status else set()))


def _event(old: Client, new: Client) -> Event:
    if old.status == new.status:
        return Event.CLIENT_UPDATED
    return Event.CLIENT_RESUMED if new.active else Event.CLIENT_SUSPENDED


def suspend(client_id: str, actor: Actor | None = None) -> Client:
    """Refuse everything that the client asks, and keep it."""
    return update(client_id, {"status": "suspended"}, actor).client


def resume(client_id: str, actor: Actor | None = None) -> Client:
    """Let a suspended client work again."""
    return update(client_id, {"status": "active"}, actor).client


def delete(client_id: str, actor: Actor | None = None) -> Client:
    """Delete a client with its secrets, grants, consents and tokens."""
    with transaction():
        client = own(client_id)
        clients.delete(client.id)
        audit.record(Event.CLIENT_DELETED, actor, client_id=client_id)
    telling.changed()
    return client


def rotate_secret(
    client_id: str,
    actor: Actor | None = None,
    *,
    client_secret: str | None = None,
    source_digest: bytes | None = None,
    keep_old: timedelta = timedelta(days=1),
    expires_at: datetime | None = None,
) -> Made:
    """One more secret; those that were there end after `keep_old`, all but the newest of them at once.

    Raises NotFound, InvalidClientMetadata, Conflict for a client that has no use for a secret.
    """
    with transaction():
        client = own(client_id)
        if client.auth_method not in registration.SECRET_METHODS:
            raise Conflict(
                "This client does not authenticate with a secret.", rule="token_endpoint_auth_method"
            )
        secret, made = secret_for(client.metadata, client_secret)
        _retire(client, keep_old)
        clients.add_secret(client.id, kept_secret(str(secret), source_digest, expires_at))
        audit.record(Event.CLIENT_SECRET_ADDED, actor, client_id=client_id)
    telling.changed()
    return Made(show(client_id), made, int(expires_at.timestamp()) if expires_at else 0)


def _retire(client: Client, keep_old: timedelta) -> None:
    now = clock.now()
    good = [secret for secret in client.secrets if secret.good(now)]
    for secret in client.secrets:
        if secret not in good[1 - MOST_SECRETS :] or not keep_old:
            clients.drop_secret(secret.id)
        elif secret.expires_at is None or secret.expires_at > now + keep_old:
            clients.end_secret(secret.id, now + keep_old)


def described(client: Client, made: Made | None = None) -> dict[str, Any]:
    """A client as an answer shows it: RFC 7591 names, and the secret where it was made just now."""
    now = clock.now()
    answer = {
        "client_id": client.client_id,
        "status": client.status,
        **({} if client.application is None else {"platform": True}),
        **client.metadata,
        "settings": client.settings,
        "secrets": [
            {
                "created_at": secret.created_at.isoformat(),
                "expires_at": secret.expires_at.isoformat() if secret.expires_at else None,
            }
            for secret in client.secrets
            if secret.good(now)
        ],
        "created_at": client.created_at.isoformat(),
        "updated_at": client.updated_at.isoformat(),
    }
    if made is not None and made.client_secret is not None:
        answer["client_secret"] = made.client_secret
        answer["client_secret_expires_at"] = made.client_secret_expires_at
    return answer
