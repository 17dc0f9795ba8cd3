"""A second tenant tries what the vault's own tests reach through the rooms above, or with one tenant alone."""

import datetime as dt
import threading
from dataclasses import fields
from typing import Any

import pytest

from idp import clock
from idp.ids import digest, uuid7
from idp.store.database import transaction
from idp.store.durable import (
    audit_log,
    clients,
    credentials,
    issuer_uses,
    outbox,
    refusals,
    signing_keys,
    users,
)
from idp.store.durable.audit_log import Entry, Seal
from idp.store.durable.refusals import Refused
from idp.tenants import Tenant, entered


def _entry(**changes: Any) -> Entry:
    values = {
        "id": uuid7(),
        "event": "user.created",
        "actor": {},
        "facts": {},
        "at": clock.now(),
        "request_id": None,
    }
    return Entry(**{**values, **changes})


def test_events_and_links_written_by_one_are_no_links_of_the_other(
    acme: Tenant, globex: Tenant, database: Any
) -> None:
    database("DELETE FROM audit_log; DELETE FROM audit_seals")
    seal = Seal(uuid7(), 1, 5, 9, uuid7(), uuid7(), 1, b"p" * 32, b"d" * 32, clock.now())
    with entered(acme):
        audit_log.insert_all([_entry()])
        audit_log.add_seal(seal)
        assert audit_log.seals(0, 10) == (seal,)
    with entered(globex):
        assert audit_log.seals(0, 10) == () and audit_log.recent() == ()
        audit_log.add_seal(seal)
        audit_log.insert_all([_entry(event="user.deleted")])
        assert [entry.event for entry in audit_log.recent()] == ["user.deleted"]
    with entered(acme):
        assert audit_log.last_seal() == seal and [entry.event for entry in audit_log.recent()] == [
            "user.created"
        ]
    assert {field.name for field in fields(Seal)} >= {"number", "previous", "digest"}


@pytest.mark.parametrize("lock", [lambda: audit_log.lock(), lambda: signing_keys.lock() is None])
def test_one_tenants_lock_stops_nobody_else(acme: Tenant, globex: Tenant, lock: Any) -> None:
    held, got = threading.Event(), []
    release = threading.Event()

    def hold() -> None:
        with entered(acme), transaction():
            assert lock()
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    try:
        with entered(globex), transaction():
            got.append(lock())
    finally:
        release.set()
        holder.join(10)
    assert got == [True]


def test_passwords_are_counted_by_tenant(acme: Tenant, globex: Tenant) -> None:
    with entered(acme):
        before = credentials.count("password")
        dora = users.add("dora")
        credentials.put_password(dora.id, "$argon2id$x")
        assert credentials.count("password") == before + 1
    with entered(globex):
        assert credentials.count("password") == before


def test_who_came_to_which_issuer_is_known_to_its_tenant(acme: Tenant, globex: Tenant) -> None:
    at = clock.now()
    with entered(globex):
        theirs = clients.by_client_id("web")
        assert theirs is not None
    with entered(acme):
        mine = clients.by_client_id("web")
        assert mine is not None
        assert issuer_uses.note(mine.id, "https://old.test", at)
        assert not issuer_uses.note(theirs.id, "https://old.test", at)
        assert [use.client_id for use in issuer_uses.every()] == ["web"]
    with entered(globex):
        assert issuer_uses.every() == () and issuer_uses.clear() == 0
    with entered(acme):
        assert issuer_uses.clear() == 1


def test_messages_wait_in_their_own_tenant(acme: Tenant, globex: Tenant) -> None:
    with entered(acme):
        message = outbox.put("topic", {"n": 1})
        assert outbox.waiting() == 1
    with entered(globex):
        assert outbox.waiting() == 0 and not outbox.done(message)
    with entered(acme):
        assert outbox.done(message)


def test_refusals_are_found_by_their_own_tenant(acme: Tenant, globex: Tenant) -> None:
    at = clock.now()
    known = {
        "id": uuid7(),
        "request_id": digest("r").hex(),
        "at": at,
        "code": "invalid_grant",
        "path": "/token",
    }
    line = Refused(**{field.name: known.get(field.name) for field in fields(Refused)})
    ago = at - dt.timedelta(minutes=1)
    with entered(acme):
        refusals.insert_all([line])
        assert refusals.find(line.request_id, ago) == (line,)
    with entered(globex):
        assert refusals.find(line.request_id, ago) == ()
        assert refusals.purge(at + dt.timedelta(days=1)) == 0
    with entered(acme):
        assert refusals.purge(at + dt.timedelta(days=1)) == 1
