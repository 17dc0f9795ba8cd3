"""Clients that nobody registered: their client_id is the address of a document that describes them.

draft-ietf-oauth-client-id-metadata-document, where the tenant's policy names the document's host. What was read is
kept in memory, for as long as its owner says within bounds; an owner that does not answer leaves what was there for
a day (RFC 5861 section 4). A client has no row until somebody who is signed in has allowed it: what a stranger
names fills no table. From then on the row is the client, at every endpoint, and a document that was read anew and
says something else is taken over into it.
"""

import json
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from idp import audit, clock, directory, ids, lanes, outbound, throttle
from idp.audit import Actor, Event
from idp.errors import Busy, Conflict, Refusal, TooMany
from idp.logs import log
from idp.memory import Recent
from idp.registration import strangers
from idp.store.database import transaction, working
from idp.store.durable import clients, registrations
from idp.store.durable.clients import Client
from idp.tenants import current

LEAST, USUAL, MOST = 60, 300, 86_400
"""Seconds for which a document is kept: its owner's max-age within bounds; where it says nothing, USUAL."""
AGAIN = 10.0
"""Seconds between two looks at an address at which there is no good document: a bound on asking, no memory of it."""
STALE = 86_400
"""Seconds for which a client goes on whose document cannot be reached any more."""
LARGEST = 5 * 1024
"""Bytes of a document (section 8.7)."""
KINDS = ("application/json", "application/*+json")
_SETTINGS = {"dynamic": True, "metadata_document": True}
_Key = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class _Read:
    """What lay at an address: `client` is None where nothing good did, and `why` says what was wrong, for operators."""

    client: Client | None
    until: float
    good: float
    """When its owner last answered."""
    why: str = ""


_kept: Recent[_Key, _Read] = Recent(10_000)


def latest(client_id: str, row: Client | None) -> Client | None:
    """The client as its document now describes it, when it has one; any other `row` as it is.

    None where the policy, or the document, is none. Raises Busy when nobody can read it now.
    """
    if row is not None and not row.setting("metadata_document"):
        return row
    if not current().policy.reads(client_id):
        return None
    kept = _kept.get(_key(client_id))
    if working() and kept is not None:
        return None if kept.client is None else row or kept.client
    if kept is None or clock.monotonic() >= kept.until:
        kept = _look(client_id, row, kept)
        row = directory.client(client_id) if row is not None else None
    return None if kept.client is None else row or kept.client


def why(client_id: str) -> str:
    """What was wrong with the document at this address, for operators; "" when nothing is known of it."""
    kept = _kept.get(_key(client_id))
    return kept.why if kept is not None else ""


def count(client_id: str, address: str) -> None:
    """Count a document that is read for the first time because somebody at `address` names it. Raises TooMany."""
    if not current().policy.reads(client_id) or directory.client(client_id) is not None:
        return
    kept = _kept.get(_key(client_id))
    if kept is not None and clock.monotonic() < kept.until:
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
            if registrations.count() >= current().policy.registered_clients:
                raise strangers.Full(rule="registration.count", setting="policy.registered_clients")
            clients.create(made)
            # Nobody has the token of this registration: such a client is managed by its document alone.
            registrations.add(made.id, ids.digest(ids.secret()), now)
            actor = Actor("client", client.client_id, address)
            audit.record(Event.CLIENT_CREATED, actor, client_id=client.client_id)
    except Conflict:
        return clients.by_client_id(client.client_id) or client
    directory.forget(current().id)  # its pages may call us at once (CORS)
    return made


def forget() -> None:
    """Forget what was read: between tests."""
    _kept.clear()


def _key(client_id: str) -> _Key:
    return current().id, client_id


def _look(client_id: str, row: Client | None, former: _Read | None) -> _Read:
    """Read the document now. Raises Busy when there is no place to, and nothing was known of it."""
    now = clock.monotonic()
    if former is None and row is not None:
        # Since this process began nobody has looked.
        former = _Read(_stranger(client_id, row.metadata, None), now, now)
    try:
        with outbound.PLACES.one(), lanes.left():
            document = outbound.get(client_id, KINDS, LARGEST)
        metadata = strangers.described(client_id, json.loads(document.body))
    except Busy:
        if former is None or former.client is None:
            raise
        return former
    except outbound.NotSent as problem:
        found = _unreached(former, now, str(problem))
    except (Refusal, ValueError, RecursionError) as problem:
        said = problem.description if isinstance(problem, Refusal) else "it is no JSON"
        found = _Read(None, now + AGAIN, now, said)
    else:
        age = min(max(document.max_age if document.max_age is not None else USUAL, LEAST), MOST)
        found = _Read(_stranger(client_id, metadata, former), now + age, now)
        if row is not None:
            _take_over(row, metadata)
    if found.why:
        log(__name__).warning("metadata_document.not_read", client_id=client_id, why=found.why[:200])
    return _kept.put(_key(client_id), found)


def _unreached(former: _Read | None, now: float, why: str) -> _Read:
    if former is not None and former.client is not None and now < former.good + STALE:
        return replace(former, until=now + LEAST, why=why)
    return _Read(None, now + AGAIN, former.good if former is not None else now, why)


def _stranger(client_id: str, metadata: dict[str, Any], former: _Read | None) -> Client:
    """The client as it is without a row: as nobody vouches for it, whatever an operator once did."""
    if former is not None and former.client is not None and former.client.metadata == metadata:
        return former.client
    now = clock.now()
    return Client(ids.uuid7(), client_id, metadata, dict(_SETTINGS), "active", now, now)


def _take_over(row: Client, metadata: dict[str, Any]) -> None:
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
    directory.forget(current().id)
