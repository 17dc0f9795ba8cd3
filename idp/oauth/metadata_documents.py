"""Clients that nobody registered: their client_id is the address of a document that describes them.

draft-ietf-oauth-client-id-metadata-document, where the tenant's policy names the document's host. What was read is
kept in memory, for as long as its owner says within bounds; an owner that does not answer leaves what was there for
a day (RFC 5861 section 4). A client has no row until somebody who is signed in has allowed it: what a stranger
names fills no table. From then on the row is the client, at every endpoint, and a document that was read anew and
says something else is taken over into it.
"""

import json
from dataclasses import replace
from functools import partial
from typing import Any

from idp import audit, clock, directory, ids, throttle
from idp.accounts import consent
from idp.audit import Actor, Event
from idp.errors import Conflict, TooMany
from idp.fetching import Memory, Rules, Wanted
from idp.oauth import admission
from idp.registration import strangers
from idp.store.database import transaction
from idp.store.durable import clients, registrations
from idp.store.durable.clients import Client
from idp.tenants import current

USUAL, STALE = 300, 86_400
"""Seconds for which a document is kept whose owner says nothing, and a client goes on whose owner does not answer."""
LARGEST = 5 * 1024
"""Bytes of a document (section 8.7)."""
KINDS = ("application/json", "application/*+json")
_SETTINGS = {"dynamic": True, "metadata_document": True}

_READ: Memory[Client] = Memory(
    Rules("metadata_document", KINDS, LARGEST, least=60, usual=USUAL, most=86_400, stale=STALE)
)


def latest(client_id: str, row: Client | None) -> Client | None:
    """The client as its document now describes it, when it has one; any other `row` as it is.

    None where the policy, or the document, is none. Raises Busy when nobody can read it now.
    """
    if row is not None and not row.setting("metadata_document"):
        return row
    if not current().policy.reads(client_id):
        return None
    kept = _READ.known(client_id)
    stranger = row is None or bool(row.setting("dynamic"))
    found = _READ.get(
        Wanted(
            client_id,
            client_id,
            partial(_described, client_id, None if kept is None else kept.value),
            vouched=not stranger,
            # Since this process began nobody may have looked.
            known=_stranger(client_id, row.metadata, None) if row is not None and kept is None else None,
            took=partial(_take_over, row),
            always=True,
        )
    )
    if row is not None and found is not kept:
        row = directory.client(client_id)
    return None if found.value is None else row or found.value


def why(client_id: str) -> str:
    """What was wrong with the document at this address, for operators; "" when nothing is known of it."""
    kept = _READ.known(client_id)
    return kept.why if kept is not None else ""


def count(client_id: str, address: str) -> None:
    """Count a document that is read for the first time because somebody at `address` names it. Raises TooMany."""
    if not current().policy.reads(client_id) or directory.client(client_id) is not None:
        return
    if not _READ.due(client_id):
        return
    retry = throttle.failed("registration", address)
    if retry is not None:
        raise TooMany(retry_after=retry, rule="throttle.registration", setting="policy.registrations")


def keep(client: Client, address: str) -> Client:
    """The client with a row of its own, made now when somebody has allowed it for the first time. Raises Full."""
    if not client.setting("metadata_document"):
        return client
    present = clients.by_client_id(client.client_id)
    if present is not None:
        return present
    now = clock.now()
    made = replace(client, id=ids.uuid7(), created_at=now, updated_at=now)
    try:
        with transaction():
            actor, origin = Actor("client", client.client_id, address), admission.origin_of(address)
            admission.make(origin, actor)
            clients.create(made)
            # Nobody has the token of this registration: such a client is managed by its document alone.
            registrations.add(made.id, ids.digest(ids.secret()), now, origin)
            audit.record(Event.CLIENT_CREATED, actor, client_id=client.client_id)
    except Conflict:
        return clients.by_client_id(client.client_id) or client
    directory.forget(current().id)  # its pages may call us at once (CORS)
    return made


def forget() -> None:
    """Forget what was read: between tests."""
    _READ.forget()


def _described(client_id: str, former: Client | None, body: bytes) -> Client:
    """The client that a document describes. Raises Refusal, ValueError, RecursionError."""
    return _stranger(client_id, strangers.described(client_id, json.loads(body)), former)


def _stranger(client_id: str, metadata: dict[str, Any], former: Client | None) -> Client:
    """The client as it is without a row: as nobody vouches for it, whatever an operator once did."""
    if former is not None and former.metadata == metadata:
        return former
    now = clock.now()
    return Client(ids.uuid7(), client_id, metadata, dict(_SETTINGS), "active", now, now)


def _take_over(row: Client | None, read: Client) -> None:
    """Let the row say what the document now says."""
    if row is None:
        return
    metadata = read.metadata
    changed = sorted(
        name for name in {*row.metadata, *metadata} if row.metadata.get(name) != metadata.get(name)
    )
    if not changed:
        return
    # Whoever vouched for the client vouched for what it said of itself then.
    settings = {**row.settings, "dynamic": True}
    with transaction():
        if clients.update(replace(row, metadata=metadata, settings=settings, updated_at=clock.now())):
            actor = Actor("client", row.client_id)
            audit.record(Event.CLIENT_UPDATED, actor, client_id=row.client_id, changed=changed)
            consent.forget(row.id)  # it was allowed to who it said to be
    directory.forget(current().id)
