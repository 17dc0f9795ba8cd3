"""Operators' verbs for the upstreams of the entered tenant, each with one event in the same transaction.

Fields are those of `idp.federation.fields`. A client secret is given and never shown. Whoever signed in by an upstream
that is removed or suspended is signed out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from idp import audit, clock, ids
from idp.accounts import sessions
from idp.audit import Actor, Event
from idp.control import telling
from idp.errors import Invalid, NotFound
from idp.federation import fields, secrets
from idp.federation.departures import redirect_uri
from idp.federation.profile import FEDERATED
from idp.store.database import transaction
from idp.store.durable import grants, identities, upstreams
from idp.store.durable.upstreams import Upstream

_LONGEST_SECRET = 4_096


def create(
    name: str,
    given: Mapping[str, Any],
    actor: Actor | None = None,
    *,
    client_secret: str | None = None,
    source_digest: bytes | None = None,
) -> Upstream:
    """A new upstream. Raises Invalid naming the field, Conflict when its name or issuer is there already."""
    own, settings = fields.checked({**given, "name": name})
    identifier, at = ids.uuid7(), clock.now()
    kek_id, sealed = _sealed(identifier, client_secret)
    made = Upstream(
        identifier, own["name"], own["protocol"], own["issuer"], own["client_id"], kek_id, sealed, source_digest,
        own["status"], settings, at, at,
    )  # fmt: skip
    _check_secret(made)
    with transaction():
        upstreams.add(made)
        audit.record(Event.UPSTREAM_CREATED, actor, upstream=name, issuer=made.issuer)
    telling.changed()
    return made


def _sealed(upstream: UUID, secret: str | None) -> tuple[str | None, bytes | None]:
    if secret is None:
        return None, None
    if not 0 < len(secret) <= _LONGEST_SECRET or not secret.isprintable():
        raise Invalid(
            f"client_secret must have 1 to {_LONGEST_SECRET} printable characters.", rule="client_secret"
        )
    return secrets.sealed(upstream, secret)


def _check_secret(upstream: Upstream) -> None:
    method = fields.settings(upstream).token_endpoint_auth_method
    if upstream.sealed is None and method in ("client_secret_basic", "client_secret_post"):
        raise Invalid(f"client_secret is missing, which {method} needs.", rule="client_secret")
    if upstream.sealed is not None and method == "none":
        raise Invalid("client_secret must not stand beside the method none.", rule="client_secret")


def show(name: str) -> Upstream:
    """The upstream of that name. Raises NotFound."""
    found = upstreams.by_name(name)
    if found is None:
        raise NotFound("There is no such upstream.", rule="name")
    return found


def list_() -> tuple[Upstream, ...]:
    """All upstreams of the tenant, by name."""
    return upstreams.every()


def update(
    name: str,
    given: Mapping[str, Any],
    actor: Actor | None = None,
    *,
    client_secret: str | None = None,
    source_digest: bytes | None = None,
) -> Upstream:
    """Change what is given; None puts a default back. A suspended one signs out whoever signed in by it.

    Raises NotFound, Invalid naming the field, Conflict.
    """
    with transaction():
        present = show(name)
        if given.get("issuer", present.issuer) != present.issuer:
            # Its subjects are other people's, and what is linked would be theirs.
            raise Invalid("issuer cannot change; delete the upstream and make another one.", rule="issuer")
        own, settings = fields.checked({**given, "name": name}, present)
        new = replace(present, client_id=own["client_id"], protocol=own["protocol"], status=own["status"],
                      settings=settings)  # fmt: skip
        changed = differences(present, new)
        if client_secret is not None:
            kek_id, sealed = _sealed(present.id, client_secret)
            new = replace(new, kek_id=kek_id, sealed=sealed, source_digest=source_digest)
            changed.append("client_secret")
        _check_secret(new)
        if not changed:
            return present
        new = replace(new, updated_at=clock.now())
        upstreams.change(new)
        audit.record(Event.UPSTREAM_UPDATED, actor, upstream=name, changed=changed)
        if present.active and not new.active:
            _signed_out(present, "upstream_suspended")
    telling.changed()
    return new


def differences(one: Upstream, other: Upstream) -> list[str]:
    """Names of the fields in which two states of an upstream differ."""
    own = [name for name in fields.OWN if getattr(one, name) != getattr(other, name)]
    every = {*one.settings, *other.settings}
    return sorted([*own, *(name for name in every if one.settings.get(name) != other.settings.get(name))])


def delete(name: str, actor: Actor | None = None) -> int:
    """Delete an upstream and every identity of it; how many people had one. Raises NotFound."""
    with transaction():
        gone = show(name)
        people = identities.people_of(gone.id)
        _signed_out(gone, "upstream_deleted")
        upstreams.remove(gone.id)
        audit.record(Event.UPSTREAM_DELETED, actor, upstream=name, issuer=gone.issuer, people=len(people))
    telling.changed()
    return len(people)


def _signed_out(upstream: Upstream, reason: str) -> None:
    """End the sessions that rest on another provider's word, of all whom this one knows."""
    for user_id in identities.people_of(upstream.id):
        for session in sessions.of_user(user_id):
            if FEDERATED in session.amr:
                sessions.end(session, reason)
                grants.revoke_of_session(session.id, reason)


def described(upstream: Upstream) -> dict[str, Any]:
    """An upstream as an answer shows it, never its secret."""
    return {
        "name": upstream.name,
        "protocol": upstream.protocol,
        "issuer": upstream.issuer,
        "client_id": upstream.client_id,
        "client_secret": "set" if upstream.sealed is not None else None,
        "status": upstream.status,
        **upstream.settings,
        "redirect_uri": redirect_uri(upstream),
        "people": len(identities.people_of(upstream.id)),
        "created_at": upstream.created_at.isoformat(),
        "updated_at": upstream.updated_at.isoformat(),
    }
