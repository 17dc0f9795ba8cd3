"""Operators' verbs for tenants. Each leaves one event in the tenant's own audit.

A tenant is a row of the control plane, which only `idp_ops` writes, while its audit belongs to the tenant. An
event is therefore inserted first, the row changed inside that transaction, and the event committed last: where
it cannot be written, nothing is changed. `create` is repeatable: after a crash the same command finishes it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from idp import audit, directory, identifiers
from idp.accounts import variants
from idp.audit import Actor, Event
from idp.control import application_clients, telling
from idp.errors import Conflict, Invalid, NotFound
from idp.signing import certificates, rotation
from idp.store.database import transaction
from idp.store.durable import control_plane
from idp.store.durable.control_plane import Row
from idp.tenants import PLATFORM, Branding, Policy, Tenant, entered

HEARD = 3 * directory.POLL
"""Seconds after which every process that asks Postgres at all has heard of a change."""


def create(
    slug: str,
    name: str | None = None,
    *,
    policy: Mapping[str, Any] | None = None,
    branding: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> Row:
    """A new tenant with its signing keys, active at the end.

    Raises Invalid naming the field, Conflict when the slug is taken by a tenant that is already there.
    """
    given = checked({"slug": slug, "name": name or slug, "policy": policy or {}, "branding": branding or {}})
    row = begin(given)
    return finish(row, actor)


def realm(actor: Actor | None = None) -> Row:
    """The platform's realm, made with its keys where it is not there yet; repeatable."""
    row = control_plane.by_slug(PLATFORM)
    if row is None or row.status == "provisioning":
        row = finish(begin({"slug": PLATFORM, "name": "Sign in", "policy": {}, "branding": {}}), actor)
    return row


def begin(given: Mapping[str, Any]) -> Row:
    """The row of a new tenant, in `provisioning`; an unfinished one is taken up again. Raises Conflict."""
    row = control_plane.create(given["slug"], given["name"], dict(given["policy"]), dict(given["branding"]))
    if row is not None:
        return row
    row = control_plane.by_slug(given["slug"])
    if row is None or row.status != "provisioning":
        raise Conflict(f"A tenant with the slug {given['slug']} exists already.", rule="slug")
    values = {name: given[name] for name in ("name", "policy", "branding")}
    control_plane.change({row.id: values})
    return replace(row, **values)


def finish(row: Row, actor: Actor | None = None) -> Row:
    """Give a tenant in `provisioning` its keys, look that it sees its own rows, and activate it."""
    tenant = as_tenant(row)
    rotation.ensure(tenant)
    with entered(tenant):
        application_clients.arrive(actor)
    with entered(tenant), transaction():
        if control_plane.seen() != (row.id,):
            raise RuntimeError("a new tenant does not see exactly its own rows; run idp prove")
        audit.record(Event.TENANT_CREATED, actor, slug=row.slug)
        control_plane.change({row.id: {"status": "active"}})
    directory.forget(row.id)
    return _again(row)


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a tenant that were given, checked. Raises Invalid naming the field."""
    known: dict[str, Any] = {
        "slug": identifiers.slug,
        "name": identifiers.text,
        "policy": _policy,
        "branding": lambda value: Branding.parse(value) and value,
    }
    result = {}
    for name, value in given.items():
        if name not in known:
            raise Invalid(f"{name} is not known here.", rule=name)
        if name in ("policy", "branding") and not isinstance(value, Mapping):
            raise Invalid(f"{name} must be a mapping.", rule=name)
        try:
            result[name] = known[name](value)
        except ValueError as problem:
            raise Invalid(f"{name} {problem}.", rule=name) from None
    return result


def _policy(value: Any) -> Any:
    """A policy, whose authorities are certificates of authorities, and whose tags name languages. Raises Invalid."""
    policy = Policy.parse(value)
    for number, each in enumerate(policy.claims_locales):
        if not variants.registered(each):
            where = f"policy.claims_locales[{number}]"
            raise Invalid(f"{where} must be made of subtags that are registered (BCP 47).", rule=where)
    for number, each in enumerate(policy.client_certificate_authorities):
        try:
            fits = certificates.authority(certificates.of_base64(each))
        except certificates.Unreadable:
            fits = False
        if not fits:
            where = f"policy.client_certificate_authorities[{number}]"
            raise Invalid(f"{where} must be the certificate of an authority, in base64.", rule=where)
    return value


def show(slug: str) -> Row:
    """The tenant of that slug. Raises NotFound."""
    row = control_plane.by_slug(slug) if slug == PLATFORM or _is_slug(slug) else None
    if row is None:
        raise NotFound(f"There is no tenant {slug}.", rule="slug")
    return row


def _is_slug(slug: object) -> bool:
    """Whether a text could be a slug at all."""
    try:
        return bool(identifiers.slug(slug))
    except ValueError:
        return False


def list_(limit: int = 100, after: str | None = None) -> tuple[Row, ...]:
    """At most `limit` tenants (100 at most), by slug, those behind the slug `after`."""
    return control_plane.every(min(max(limit, 1), 100), after)


def update(slug: str, changes: Mapping[str, Any], actor: Actor | None = None) -> Row:
    """Change the name, single settings of the policy or of the branding (None puts a default back).

    Raises NotFound, Invalid naming the field.
    """
    row = show(slug)
    values = merged(row, changes)
    if not values:
        return row
    with entered(as_tenant(row)), transaction():
        for event, facts in events_of(row, values):
            audit.record(event, actor, **facts)
        control_plane.change({row.id: values})
    row = _again(row)
    with entered(as_tenant(row)):
        for name in ("id_token_signing_alg", "access_token_signing_alg"):
            telling.changed(row.policy.get(name))
        telling.changed("ECDH-ES" if row.policy.get("encryption_keys") else None)
    return row


def merged(row: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What `changes` would write into a row: only what differs. Raises Invalid."""
    given = dict(changes)
    for name in ("policy", "branding"):
        if isinstance(given.get(name), Mapping):
            whole = {**getattr(row, name), **given[name]}
            given[name] = {key: value for key, value in whole.items() if value is not None}
    given.pop("slug", None)
    return {name: value for name, value in checked(given).items() if value != getattr(row, name)}


def events_of(row: Row, values: Mapping[str, Any]) -> list[tuple[Event, dict[str, Any]]]:
    """The events of a change: one for each kind of thing that changes."""
    kinds = {"name": Event.TENANT_UPDATED, "policy": Event.POLICY_CHANGED, "branding": Event.BRANDING_CHANGED}
    events: list[tuple[Event, dict[str, Any]]] = []
    for name, value in values.items():
        before = getattr(row, name, None)
        fields = [name]
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            fields = sorted(key for key in {*value, *before} if value.get(key) != before.get(key))
        events.append((kinds[name], {"changed": fields}))
    return events


def suspend(slug: str, actor: Actor | None = None) -> Row:
    """Refuse everything that the tenant is asked, and keep its data (attack TN05)."""
    return _set_status(slug, "suspended", Event.TENANT_SUSPENDED, actor, unless=("deleted",))


def resume(slug: str, actor: Actor | None = None) -> Row:
    """Make a suspended or deleted tenant active again; an unfinished one is finished."""
    row = show(slug)
    if row.status == "provisioning":
        return finish(row, actor)
    return _set_status(slug, "active", Event.TENANT_RESUMED, actor)


def delete(
    slug: str, actor: Actor | None = None, *, purge: bool = False, wait: Callable[[float], None] = time.sleep
) -> Row:
    """Make a tenant unreachable; only `resume` brings it back. With `purge` all its rows go, for good.

    Processes hear of changed rows and never of missing ones: the rows go HEARD seconds after the deletion, in
    which every process has asked, and forgotten the tenant.
    """
    row = _set_status(slug, "deleted", Event.TENANT_DELETED, actor)
    if purge:
        wait(HEARD)
        control_plane.purge(row.id)
    directory.forget(row.id)
    return row


def _set_status(
    slug: str, status: str, event: Event, actor: Actor | None, unless: tuple[str, ...] = ()
) -> Row:
    row = show(slug)
    if row.status == status:
        return row
    if row.status in unless:
        raise Conflict(f"The tenant {slug} is {row.status}.", rule="status")
    with entered(as_tenant(row)), transaction():
        audit.record(event, actor, slug=row.slug)
        control_plane.change({row.id: {"status": status}})
    directory.forget(row.id)
    return _again(row)


def _again(row: Row) -> Row:
    return show(row.slug)


def as_tenant(row: Row) -> Tenant:
    """The tenant to enter for a row of the control plane, whatever its status."""
    return Tenant(
        id=row.id,
        slug=row.slug,
        name=row.name,
        status=row.status,
        issuer=directory.issuer_of(row.slug, row.primary_host),
        hosts=tuple(host.host for host in row.hosts if host.counts),
        policy=Policy.parse(row.policy),
        branding=Branding.parse(row.branding),
        version=row.version,
        also=directory.issuer_of(row.slug, row.moving_host) if row.moving_since else None,
        moving_since=row.moving_since,
        not_before=row.not_before,
    )


@contextmanager
def enter(slug: str) -> Iterator[Tenant]:
    """Enter a tenant by its slug, for an operator's command. Raises NotFound."""
    row = show(slug)
    with entered(as_tenant(row)) as tenant:
        yield tenant


def described(row: Row) -> dict[str, Any]:
    """A tenant as an answer shows it."""
    return {
        "slug": row.slug,
        "id": str(row.id),
        "name": row.name,
        "status": row.status,
        "issuer": directory.issuer_of(row.slug, row.primary_host),
        "moving_to": directory.issuer_of(row.slug, row.moving_host) if row.moving_since else None,
        "hosts": [
            {"host": host.host, "status": "lapsed" if host.lapsed_at else host.status} for host in row.hosts
        ],
        "policy": row.policy,
        "branding": row.branding,
        "created_at": row.created_at.isoformat(),
    }
