"""Operators' verbs for applications of the platform: registered once, enabled for all tenants or those that are listed.

Where one is enabled its relying party has the same client_id, secret and metadata at the tenant's issuer. A verb
writes what is to be, in one transaction of the control plane, and then brings each tenant into step; where it ends on
the way the worker does the rest. Events stand in the audit of each tenant. Repeating a verb finishes it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from idp import clock, config, ids, registration
from idp.audit import Actor
from idp.control import application_clients, clients, sectors, tenants
from idp.errors import Conflict, InvalidClientMetadata, NotFound
from idp.store.durable import applications, control_plane
from idp.store.durable import clients as client_store
from idp.store.durable.applications import Application
from idp.store.durable.clients import Client, ClientSecret
from idp.tenants import PLATFORM, Tenant, entered

TENANTS, PLATFORMS = "tenant", "platform"
"""Whose issuer an application knows."""
GRANTS = ("authorization_code", "refresh_token")
"""What the platform's issuer has."""


@dataclass(frozen=True, slots=True)
class Made:
    """An application, the secret that was made for it now, and what single tenants could not be given."""

    application: Application
    client_secret: str | None = field(default=None, repr=False)
    problems: tuple[str, ...] = ()


@contextmanager
def nowhere() -> Iterator[None]:
    """Where an application is judged before any tenant has it: under the defaults of every policy."""
    settings = config.settings()
    with entered(Tenant(UUID(int=0), "platform", "platform", "active", settings.base_url)):
        yield


def create(
    client_id: str,
    fields: Mapping[str, Any],
    actor: Actor | None = None,
    *,
    client_secret: str | None = None,
    source_digest: bytes | None = None,
) -> Made:
    """A new application, enabled nowhere; a secret is made for it where it needs one and none is given.

    `issuer` among the fields, for good: that of each tenant (`tenant`), or the platform's (`platform`).

    Raises InvalidClientMetadata or InvalidRedirectUri naming the field, Conflict when the client_id is taken.
    """
    clients.checked_id(client_id)
    with nowhere():
        metadata, settings, status = validated(client_id, fields, None)
        sectors.check(metadata)
    secret, made = clients.secret_for(metadata, client_secret)
    at, name = clock.now(), ids.uuid7()
    kept = (clients.kept_secret(secret, source_digest, None),) if secret else ()
    platforms = fields.get("issuer") == PLATFORMS
    settings |= {"platform_issuer": True} if platforms else {}
    new = Application(Client(name, client_id, metadata, settings, status or "active", at, at, kept, name))
    if not applications.add(new):
        raise Conflict("An application with this client_id exists already.", rule="applications.unique")
    if platforms:
        applications.switch(new, {tenants.realm(actor).id}, on=True)
        return Made(new, made, _in_step(new, actor))
    return Made(new, made)


def validated(
    client_id: str, fields: Mapping[str, Any], present: Application | None
) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Metadata, settings and status of an application after `fields`, judged nowhere. Raises InvalidClientMetadata."""
    fields, issuer = _issuer(fields, present)
    told = clients.validated(client_id, fields, None if present is None else present.client)
    _fits(issuer, told[0])
    return told


def _issuer(fields: Mapping[str, Any], present: Application | None) -> tuple[dict[str, Any], str]:
    """The fields of its client, and whose issuer it knows."""
    rest = dict(fields)
    known = None if present is None else PLATFORMS if present.client.platform_issuer else TENANTS
    issuer = rest.pop("issuer", known or TENANTS)
    if issuer not in (TENANTS, PLATFORMS):
        raise InvalidClientMetadata(f"issuer must be {TENANTS} or {PLATFORMS}.", rule="issuer")
    if known is not None and issuer != known:
        raise InvalidClientMetadata(
            "issuer stays as it was: its subjects are other ones there.", rule="issuer"
        )
    return rest, issuer


def _fits(issuer: str, metadata: Mapping[str, Any]) -> None:
    if issuer == PLATFORMS and not set(metadata["grant_types"]) <= set(GRANTS):
        raise InvalidClientMetadata(
            f"grant_types must be of {', '.join(GRANTS)} where issuer is {PLATFORMS}.", rule="grant_types"
        )


def show(client_id: str) -> Application:
    """The application of that client_id. Raises NotFound."""
    found = applications.by_client_id(client_id)
    if found is None:
        raise NotFound("There is no such application of the platform.", rule="client_id")
    return found


def list_(limit: int = 100, after: str | None = None) -> tuple[Application, ...]:
    """At most `limit` applications (100 at most), by client_id, those behind the client_id `after`."""
    return applications.every(min(max(limit, 1), 100), after)


def update(client_id: str, fields: Mapping[str, Any], actor: Actor | None = None) -> Made:
    """Change what is given, in every tenant; None puts a default back. `status` suspends it everywhere.

    Raises NotFound, InvalidClientMetadata or InvalidRedirectUri naming the field.
    """
    present = show(client_id)
    with nowhere():
        metadata, settings, status = validated(client_id, fields, present)
        sectors.check(metadata, present.client.metadata)
    secrets, made = present.client.secrets, None
    if metadata["token_endpoint_auth_method"] not in registration.SECRET_METHODS:
        secrets = ()
    elif not secrets:
        made = ids.secret()
        secrets = (clients.kept_secret(made, None, None),)
    new = replace(
        present.client, metadata=metadata, settings=settings, status=status or present.client.status,
        secrets=secrets, updated_at=clock.now(),
    )  # fmt: skip
    changed = replace(present, client=new)
    applications.change(changed)
    return Made(changed, made, _in_step(changed, actor))


def rotate_secret(
    client_id: str,
    actor: Actor | None = None,
    *,
    client_secret: str | None = None,
    source_digest: bytes | None = None,
    keep_old: timedelta = timedelta(days=1),
) -> Made:
    """One more secret, good at every tenant; those that were there end after `keep_old`, all but the newest at once.

    Raises NotFound, InvalidClientMetadata, Conflict for an application that has no use for a secret.
    """
    present = show(client_id)
    if present.client.auth_method not in registration.SECRET_METHODS:
        raise Conflict(
            "This application does not authenticate with a secret.", rule="token_endpoint_auth_method"
        )
    secret, made = clients.secret_for(present.client.metadata, client_secret)
    now = clock.now()
    secrets = (
        *_retired(present.client.secrets, now, keep_old),
        clients.kept_secret(str(secret), source_digest, None),
    )
    changed = replace(present, client=replace(present.client, secrets=secrets, updated_at=now))
    applications.change(changed)
    return Made(changed, made, _in_step(changed, actor))


def _retired(old: tuple[ClientSecret, ...], now: datetime, keep: timedelta) -> tuple[ClientSecret, ...]:
    """What is left of the former secrets beside a new one."""
    good = [secret for secret in old if secret.good(now)][1 - clients.MOST_SECRETS :] if keep else []
    end = now + keep
    return tuple(
        secret
        if secret.expires_at is not None and secret.expires_at <= end
        else replace(secret, expires_at=end)
        for secret in good
    )


def enable(
    client_id: str, slugs: Iterable[str] = (), actor: Actor | None = None, *, everywhere: bool = False
) -> Made:
    """Enable it for the listed tenants, or for every one, those to come included.

    Raises NotFound; Conflict where a listed tenant has an application of that client_id of its own.
    """
    present = show(client_id)
    rows = [tenants.show(slug) for slug in slugs]
    for row in rows:
        with entered(tenants.as_tenant(row)):
            own = client_store.by_client_id(client_id)
        if own is not None and own.application != present.client.id:
            raise Conflict(
                f"The tenant {row.slug} has an application {client_id} of its own.", rule="clients.unique"
            )
    return _switched(present, {row.id for row in rows}, actor, everywhere=everywhere, on=True)


def disable(
    client_id: str, slugs: Iterable[str] = (), actor: Actor | None = None, *, everywhere: bool = False
) -> Made:
    """Take it from the listed tenants, or from every one: nothing that it has counts there any more.

    What people allowed it is kept, and counts again when it is enabled again. Raises NotFound.
    """
    rows = [tenants.show(slug) for slug in slugs]
    return _switched(show(client_id), {row.id for row in rows}, actor, everywhere=everywhere, on=False)


def _switched(
    present: Application, these: set[UUID], actor: Actor | None, *, everywhere: bool, on: bool
) -> Made:
    if everywhere:
        present = replace(present, everywhere=on)
        applications.switch_everywhere(present, on=on)
        if present.client.platform_issuer and not on:
            applications.switch(present, {tenants.realm(actor).id}, on=True)
        return Made(present, None, _in_step(present, actor))
    applications.switch(present, these, on=on)
    return Made(present, None, _in_step(present, actor, these))


def delete(client_id: str, actor: Actor | None = None) -> Application:
    """Delete an application, and in every tenant its client with secrets, grants, consents and tokens."""
    present = show(client_id)
    had = set(applications.enabled(present.client.id))
    applications.remove(present.client.id)
    _in_step(present, actor, had)
    return present


def _in_step(present: Application, actor: Actor | None, these: set[UUID] | None = None) -> tuple[str, ...]:
    """Bring the tenants into step, all that have it or `these`; what they could not be given."""
    wanted = set(applications.enabled(present.client.id)) if these is None else these
    problems: list[str] = []
    for row in control_plane.by_ids(wanted):
        if row.status != "provisioning":
            with entered(tenants.as_tenant(row)):
                problems += application_clients.keep(actor)
    return tuple(problems)


def described(present: Application, made: Made | None = None) -> dict[str, Any]:
    """An application as an answer shows it, with the tenants that have it and those that were taken out."""
    switched = applications.enabled(present.client.id)
    names = {row.id: row.slug for row in control_plane.by_ids(set(switched)) if row.slug != PLATFORM}
    answer = clients.described(present.client)
    answer.pop("platform", None)
    answer["issuer"] = PLATFORMS if present.client.platform_issuer else TENANTS
    answer["tenants"] = sorted(names[each] for each, on in switched.items() if on and each in names)
    answer["everywhere"] = present.everywhere
    answer["except"] = sorted(names[each] for each, on in switched.items() if not on and each in names)
    if made is not None:
        answer |= {} if made.client_secret is None else {"client_secret": made.client_secret}
        answer["problems"] = list(made.problems)
    return answer
