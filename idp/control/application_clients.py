"""The clients that stand for the platform's applications in the entered tenant, kept as its rows say they are to be.

An application is a client like any other where it is enabled, so that the wall, consents, grants, sessions and the
memory of every process know it. What brings the clients into step can be repeated by whoever comes by: the command
that changed something, the tenant's making, and the worker when it looks after a tenant. A client of the tenant's own
is never touched, whatever it is called.
"""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from idp import audit, clock, ids, registration
from idp.accounts import subjects
from idp.audit import Actor, Event
from idp.control import telling
from idp.errors import Conflict, InvalidClientMetadata, InvalidRedirectUri
from idp.logs import log
from idp.store.database import transaction
from idp.store.durable import applications, clients, enabled_applications
from idp.store.durable.clients import Client, ClientSecret
from idp.store.durable.enabled_applications import Wanted
from idp.tenants import current


def arrive(actor: Actor | None = None) -> None:
    """Give the entered tenant, which is being made, what is enabled everywhere."""
    applications.arrive(current().id)
    keep(actor)


def keep(actor: Actor | None = None) -> tuple[str, ...]:
    """Bring the clients into step; a sentence for each application that the tenant cannot have as it is.

    Such a one is suspended there where it was known before: it never goes on as it was.
    """
    with transaction(readonly=True):
        wanted, present = enabled_applications.every(), clients.of_applications()
    there = {client.application: client for client in present}
    problems = tuple(_each(wanted, there, actor))
    known = {each.application for each in wanted}
    for client in present:
        if client.application not in known:
            _remove(client, actor)
    for problem in problems:
        log(__name__).warning("application.out_of_step", tenant=current().slug, cause=problem)
    return problems


def _each(wanted: tuple[Wanted, ...], there: dict[UUID | None, Client], actor: Actor | None) -> Iterator[str]:
    for each in wanted:
        client = there.get(each.application)
        if client is None and not each.active:
            continue
        try:
            _fit(each, client)
        except (InvalidClientMetadata, InvalidRedirectUri) as refusal:
            yield f"{each.client_id} at {current().slug}: {refusal.description}"
            if client is None:
                continue
            each = replace(each, status="suspended")
        try:
            _make(each, actor) if client is None else _change(each, client, actor)
        except Conflict:
            found = clients.by_client_id(each.client_id)
            if found is not None and found.application != each.application:
                yield f"{each.client_id} at {current().slug}: the tenant has an application of this client_id."


def _fit(wanted: Wanted, client: Client | None) -> None:
    """That the tenant's policy lets a client be so. Raises InvalidClientMetadata, InvalidRedirectUri."""
    if wanted.active:
        registration.validate({}, settings={}, current=_as(wanted, client))


def _as(wanted: Wanted, client: Client | None) -> Client:
    at = clock.now()
    return Client(
        ids.uuid7() if client is None else client.id, wanted.client_id, wanted.metadata, wanted.settings,
        wanted.status, at if client is None else client.created_at, at, wanted.secrets, wanted.application,
    )  # fmt: skip


def _make(wanted: Wanted, actor: Actor | None) -> None:
    client = _as(wanted, None)
    with transaction():
        clients.create(client)
        subjects.prepare(client)
        audit.record(Event.CLIENT_CREATED, actor, client_id=client.client_id, platform=True)
    telling.changed(*map(client.metadata.get, registration.SIGNED))


def _change(wanted: Wanted, present: Client, actor: Actor | None) -> None:
    new = _as(wanted, present)
    changed = _differences(present, new)
    if not changed:
        return
    event = Event.CLIENT_UPDATED
    if present.status != new.status:
        event = Event.CLIENT_RESUMED if new.active else Event.CLIENT_SUSPENDED
    with transaction():
        clients.update(new)
        _secrets({each.id: each for each in present.secrets}, {each.id: each for each in new.secrets}, new)
        subjects.prepare(new)
        audit.record(event, actor, client_id=new.client_id, changed=changed, platform=True)
    telling.changed(*map(new.metadata.get, registration.SIGNED))


def _secrets(old: dict[UUID, ClientSecret], new: dict[UUID, ClientSecret], client: Client) -> None:
    for name, secret in old.items():
        if name not in new:
            clients.drop_secret(secret.id)
        elif (at := new[name].expires_at) is not None and at != secret.expires_at:
            clients.end_secret(secret.id, at)
    for name, secret in new.items():
        if name not in old:
            clients.add_secret(client.id, secret)


def _differences(one: Client, other: Client) -> list[str]:
    changed = {
        name
        for left, right in ((one.metadata, other.metadata), (one.settings, other.settings))
        for name in {*left, *right}
        if left.get(name) != right.get(name)
    }
    secrets = [{(each.id, each.expires_at) for each in client.secrets} for client in (one, other)]
    changed |= {"client_secrets"} if secrets[0] != secrets[1] else set()
    return sorted(changed | ({"status"} if one.status != other.status else set()))


def _remove(client: Client, actor: Actor | None) -> None:
    with transaction():
        if clients.delete(client.id):
            audit.record(Event.CLIENT_DELETED, actor, client_id=client.client_id, platform=True)
    telling.changed()
