"""What happened, to whom, by whom: one row for each change, written in the change's own transaction.

Owns the list of events, the actor of the present request and the rules for what a fact may hold. Leaves the
rows to `idp.store.durable.audit_log`, the chain over them to :mod:`idp.jobs.sealing`, and events of requests
that change no state (client credentials) to :mod:`idp.journal`.

A row and its change stand or fall together: there is no action without a record, and where the record
cannot be written the change is not made either. Persons are named by ids. Where a row says whom it is about
(the actor, else `user_id` among the facts), the actor's address and the PERSONAL facts are sealed under a key
of that person; the chain covers what is sealed. An erased person leaves nothing behind but a UUID, and the
chain stays whole. What is about nobody known, a failed sign-in with an unknown name, keeps its address.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from idp import clock, ids, logs
from idp.signing import persons
from idp.store.durable import audit_log
from idp.store.durable.audit_log import Entry


class Event(StrEnum):
    """Everything that is ever recorded: `subject.action`, the action in the past tense.

    A name that is no longer written stays reserved: old rows still carry it.
    """

    TENANT_CREATED = "tenant.created"
    TENANT_UPDATED = "tenant.updated"
    TENANT_ACTIVATED = "tenant.activated"
    TENANT_SUSPENDED = "tenant.suspended"
    TENANT_RESUMED = "tenant.resumed"
    TENANT_DELETED = "tenant.deleted"
    TENANT_NOT_BEFORE_SET = "tenant.not_before_set"
    POLICY_CHANGED = "policy.changed"
    BRANDING_CHANGED = "branding.changed"
    HOST_ADDED = "host.added"
    HOST_PROVED = "host.proved"
    HOST_REMOVED = "host.removed"
    HOST_LAPSED = "host.lapsed"
    ISSUER_MOVE_BEGUN = "issuer.move_begun"
    ISSUER_MOVE_CANCELLED = "issuer.move_cancelled"
    ISSUER_MOVED = "issuer.moved"
    BLUEPRINT_APPLIED = "blueprint.applied"
    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    PROFILE_CHANGED = "profile.changed"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_UNLOCKED = "user.unlocked"
    USER_DELETED = "user.deleted"
    USER_SHOWN = "user.shown"
    PASSWORD_SET = "password.set"
    PASSWORD_CHANGED = "password.changed"
    ADDRESS_ASKED = "address.asked"
    ADDRESS_CHANGED = "address.changed"
    INVITATION_SENT = "invitation.sent"
    INVITATION_REVOKED = "invitation.revoked"
    DATA_COPIED = "data.copied"
    USER_LEFT = "user.left"
    USER_KEPT = "user.kept"
    USER_REGISTERED = "user.registered"
    RECOVERY_SENT = "recovery.sent"
    RECOVERY_SHOWN = "recovery.shown"
    PASSWORD_RECOVERED = "password.recovered"
    PASSWORD_REHASHED = "password.rehashed"
    AUTHENTICATOR_ADDED = "authenticator.added"
    AUTHENTICATOR_REMOVED = "authenticator.removed"
    PASSKEY_REMOVED = "passkey.removed"
    PASSKEY_ADDED = "passkey.added"
    PASSKEY_RENAMED = "passkey.renamed"
    PASSKEY_COPIED = "passkey.copied"
    RECOVERY_CODES_MADE = "recovery_codes.made"
    RECOVERY_CODE_USED = "recovery_code.used"
    TEMPORARY_CODE_MADE = "temporary_code.made"
    TEMPORARY_CODE_USED = "temporary_code.used"
    FACTORS_RESET = "factors.reset"
    APPROVAL_CODE_SET = "approval_code.set"
    APPROVAL_CODE_REMOVED = "approval_code.removed"
    APPROVAL_CODE_FAILED = "approval_code.failed"
    DEVICE_REMEMBERED = "device.remembered"
    DEVICE_FORGOTTEN = "device.forgotten"
    SECOND_FACTOR_FAILED = "second_factor.failed"
    EMAIL_CODE_SENT = "email_code.sent"
    EMAIL_CODE_SHOWN = "email_code.shown"
    EMAIL_CODE_CONFIRMED = "email_code.confirmed"
    EMAIL_CODE_REFUSED = "email_code.refused"
    GROUP_CREATED = "group.created"
    GROUP_UPDATED = "group.updated"
    GROUP_DELETED = "group.deleted"
    GROUP_MEMBER_ADDED = "group.member_added"
    GROUP_MEMBER_REMOVED = "group.member_removed"
    ROLE_CREATED = "role.created"
    ROLE_UPDATED = "role.updated"
    ROLE_DELETED = "role.deleted"
    ROLE_MEMBER_ADDED = "role.member_added"
    ROLE_MEMBER_REMOVED = "role.member_removed"
    CLIENT_CREATED = "client.created"
    CLIENT_UPDATED = "client.updated"
    CLIENT_SUSPENDED = "client.suspended"
    CLIENT_RESUMED = "client.resumed"
    CLIENT_DELETED = "client.deleted"
    INITIAL_TOKEN_CREATED = "initial_token.created"
    INITIAL_TOKEN_REVOKED = "initial_token.revoked"
    CLIENT_SECRET_ADDED = "client_secret.added"
    CLIENT_SECRET_REMOVED = "client_secret.removed"
    CLIENT_AUTHENTICATION_FAILED = "client.authentication_failed"
    API_CREATED = "api.created"
    API_UPDATED = "api.updated"
    API_DELETED = "api.deleted"
    API_GRANT_ADDED = "api_grant.added"
    API_GRANT_CHANGED = "api_grant.changed"
    API_GRANT_REMOVED = "api_grant.removed"
    UPSTREAM_CREATED = "upstream.created"
    UPSTREAM_UPDATED = "upstream.updated"
    UPSTREAM_DELETED = "upstream.deleted"
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    SIGN_IN_FAILED = "sign_in.failed"
    SIGN_IN_BLOCKED = "sign_in.blocked"
    SESSION_STARTED = "session.started"
    SESSION_ROTATED = "session.rotated"
    SESSION_ENDED = "session.ended"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_DENIED = "consent.denied"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    AUTHORIZATION_GRANTED = "authorization.granted"
    AUTHORIZATION_DENIED = "authorization.denied"
    CODE_REDEEMED = "code.redeemed"
    CODE_BURNED = "code.burned"
    CODE_REPLAYED = "code.replayed"
    TOKEN_REFRESHED = "token.refreshed"
    TOKEN_ASSERTED = "token.asserted"
    TOKEN_EXCHANGED = "token.exchanged"
    TOKEN_REVOKED = "token.revoked"
    REFRESH_REPLAYED = "refresh.replayed"
    GRANT_REVOKED = "grant.revoked"
    ASSERTION_REPLAYED = "assertion.replayed"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    KEY_ERASED = "key.erased"
    KEY_REWRAPPED = "key.rewrapped"
    MAIL_SENDER_SET = "mail_sender.set"
    MAIL_SENDER_REMOVED = "mail_sender.removed"
    MAIL_TESTED = "mail.tested"
    MAIL_TEXT_SET = "mail_text.set"
    MAIL_TEXT_REMOVED = "mail_text.removed"
    MAIL_WITHHELD = "mail.withheld"
    MAIL_REFUSED = "mail.refused"
    MAIL_BOUNCED = "mail.bounced"
    MAIL_SUPPRESSED = "mail.suppressed"
    MAIL_LIFTED = "mail.lifted"
    MESSAGE_GIVEN_UP = "message.given_up"
    MESSAGE_PUT_BACK = "message.put_back"
    CLAIMS_PREVIEWED = "claims.previewed"
    CONTEXT_SIGNED = "context.signed"
    ISOLATION_PROVED = "isolation.proved"
    ISOLATION_BROKEN = "isolation.broken"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted: `kind` is user, client, operator, worker or system; `id` a UUID or client_id, never a name.

    An operator's id is what `--as` said, else the system user and host of the command.
    """

    kind: str
    id: str | None = None
    address: str | None = None
    reason: str | None = None


SYSTEM = Actor("system")
WORKER = Actor("worker")

_together: ContextVar[list[Entry] | None] = ContextVar("idp_audit_together", default=None)
_actor: ContextVar[Actor] = ContextVar("idp_actor", default=SYSTEM)

# The last word of a name tells what the value is: `secret_id` names a row, `secret` would be one.
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:pass(?:word|wd|phrase)?|secret|(?:access|refresh|id|csrf)?_?token|assertion|cookie|authorization"
    r"|code|code_verifier|verifier|private_key|seed|dsn|otp)\Z",
    re.I,
)
_SECRET_VALUE = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.|\$(?:argon2|2[aby]|scrypt|pbkdf2)|-----BEGIN")
_LONGEST_FACT = 2_000


PERSONAL = frozenset({"username", "email", "address", "agent"})
"""Facts that are a person's."""
SEALED = "sealed"
"""The actor's member that holds what is sealed."""
ERASED = "erased"
"""What stands for a value whose person is gone."""


@contextmanager
def acting(actor: Actor) -> Iterator[Actor]:
    """Make `actor` the one who acts for the duration of the block."""
    mark = _actor.set(actor)
    try:
        yield actor
    finally:
        _actor.reset(mark)


def actor() -> Actor:
    """Who acts at present; the system itself where nobody said."""
    return _actor.get()


def request_id() -> str | None:
    """The id of the present request, the same that the log's lines and the answer carry; None outside of one."""
    return logs.request.get()


def entry(event: Event, actor: Actor | None = None, **facts: Any) -> Entry:
    """The row of an event, not yet written. Raises ValueError where a fact would hold a secret."""
    who = {name: value for name, value in asdict(actor or _actor.get()).items() if value is not None}
    row, told = ids.uuid7(), _plain("facts", facts)
    _seal(row, who, told)
    return Entry(
        id=row,
        event=Event(event).value,
        actor=who,
        facts=told,
        at=clock.now(),
        request_id=request_id(),
    )


def _seal(row: UUID, who: dict[str, Any], facts: dict[str, Any]) -> None:
    """Put what is personal in `who` and `facts` under the key of the person whom the row is about."""
    person = who.get("id") if who["kind"] == "user" else facts.get("user_id")
    if person is None:
        return
    values = {name: who.pop(name) for name in ("address",) if name in who}
    named = {name: facts.pop(name) for name in PERSONAL & facts.keys()}
    if not values and not named:
        return
    sealed = persons.seal(UUID(person), {"actor": values, "facts": named}, row)
    who[SEALED] = sealed or ERASED


def opened(entry: Entry) -> Entry:
    """The row as it was meant, personal values in their places; ERASED for all of them once their person is gone.

    Raises Unsealable for a row that was changed.
    """
    sealed = entry.actor.get(SEALED)
    if sealed is None:
        return entry
    who = {name: value for name, value in entry.actor.items() if name != SEALED}
    person = who.get("id") if who["kind"] == "user" else entry.facts.get("user_id")
    values = persons.open_(UUID(person), sealed, entry.id) if person and sealed != ERASED else None
    if values is None:
        return replace(entry, actor={**who, "address": ERASED})
    return replace(entry, actor={**who, **values["actor"]}, facts={**entry.facts, **values["facts"]})


def record(event: Event, actor: Actor | None = None, **facts: Any) -> None:
    """Write one row in the caller's transaction (or in one of its own where none is open).

    Raises ValueError where a fact's name or value is a secret's, NoTenant where no tenant is entered,
    Busy when Postgres is away: then the caller's change is not made either.
    """
    row, waiting = entry(event, actor, **facts), _together.get()
    if waiting is not None:
        waiting.append(row)
    else:
        audit_log.insert_all([row])


@contextmanager
def together() -> Iterator[None]:
    """Write the events of the block in one statement at its end; to be used inside their transaction.

    Where the block ends with an exception nothing is written, and the transaction must not commit either.
    """
    waiting: list[Entry] = []
    token = _together.set(waiting)
    try:
        yield
    finally:
        _together.reset(token)
    audit_log.insert_all(waiting)


def _plain(name: str, value: Any) -> Any:
    """`value` as JSON can hold it, searched for secrets on the way."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or _SECRET_NAME.search(key):
                raise ValueError(f"the audit must not hold {key!r}")
        return {key: _plain(key, member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        members = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_plain(name, member) for member in members]
    if isinstance(value, str):
        if _SECRET_VALUE.search(value):
            raise ValueError(f"the audit must not hold the value of {name!r}")
        return value[:_LONGEST_FACT].encode("utf-8", "replace").decode().replace("\x00", "?")
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"the audit cannot hold {name!r}: {type(value).__name__}")
