"""What people see and do at their own account: their password, sessions, applications and history.

Owns the rules of these changes, each with its event in the same transaction. Leaves to others: whether the person is
signed in, and lately enough (`idp.web.persons`), and the same changes by operators (`idp.control.users`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp import audit, clock, directory
from idp.accounts import assurance, authenticate, consent, passwords, sessions, strength, telling
from idp.audit import Actor, Event
from idp.errors import Conflict
from idp.mail import What
from idp.store.database import again, transaction
from idp.store.durable import audit_log, clients, credentials, grants, remembered_devices, users
from idp.store.durable.audit_log import Entry
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session
from idp.store.durable.users import User


@dataclass(frozen=True, slots=True)
class Application:
    """A client that a person has allowed something, or that has access now: scopes as they were allowed."""

    client: Client
    scopes: tuple[str, ...]
    since: datetime
    offline: bool


def _person(user: User, address: str | None) -> Actor:
    return Actor("user", str(user.id), address)


def password_changed(user: User) -> datetime | None:
    """When the password was last set; None where there is none."""
    return credentials.password_changed(user.id)


def change_password(
    user: User, session: Session, current: str, new: str, address: str, agent: str, device: str | None
) -> tuple[Session, str]:
    """Replace the password: every other session and all grants end, this session goes on under a new token.

    `current`: the password until now, which counts like a sign-in. Raises SignInFailed when it is not; Weak when
    `new` may not be one; Conflict when the session has ended meanwhile; TooMany, Busy.
    """
    authenticate.with_password(user.username, current, address, agent, device=device)
    strength.check(new, user)
    return _changed(user, session, passwords.hash(new), address)


@again
def _changed(user: User, session: Session, secret: str, address: str) -> tuple[Session, str]:
    with transaction(), audit.acting(_person(user, address)):
        credentials.put_password(user.id, secret)
        # Whatever began before is over by it as well: sessions, sign-ins half done, the cookies of known devices.
        users.change(user.id, not_before=clock.now())
        remembered_devices.forget(user.id)
        sessions.end_all(user, "password_changed", keep=session)
        grants.revoke_of_user(user.id, "password_changed")
        audit.record(Event.PASSWORD_CHANGED, user_id=user.id)
        telling.password_changed(user, What.PASSWORD_ON_PAGE)
        going_on = sessions.proved_anew(session, (assurance.PASSWORD,))
        if going_on is None:
            raise Conflict("This session has ended meanwhile.", rule="account.session")
    return going_on


@again
def sign_out(user: User, session_id: UUID, address: str) -> bool:
    """End one of the person's sessions and the grants that live on it; False when it is not theirs, or over."""
    with transaction(), audit.acting(_person(user, address)):
        found = next((each for each in sessions.of_user(user.id) if each.id == session_id), None)
        if found is None:
            return False
        grants.revoke_of_session(found.id, "signed out")
        return sessions.end(found, "signed_out_elsewhere")


@again
def sign_out_others(user: User, keep: Session, address: str) -> int:
    """End every session of the person but this one, and the grants that live on them; how many sessions."""
    with transaction(), audit.acting(_person(user, address)):
        for each in sessions.of_user(user.id):
            if each.id != keep.id:
                grants.revoke_of_session(each.id, "signed out")
        return sessions.end_all(user, "signed_out_elsewhere", keep=keep)


def applications(user: User) -> tuple[Application, ...]:
    """The applications that the person has allowed something or that have access now, by name."""
    allowed = {each.client_id: each for each in consent.given_by(user.id)}
    having = {each.client_id: each for each in grants.accesses(user.id, clock.now())}
    found = []
    for client_id in {*allowed, *having}:
        client = clients.by_id(client_id)
        given, access = allowed.get(client_id), having.get(client_id)
        times = [each.granted_at for each in (given,) if each] + [each.since for each in (access,) if each]
        if client is not None:
            names = (given.scopes if given else frozenset()) | (access.scopes if access else frozenset())
            # The same scope stands in both, in a consent with its API before it.
            plain = {name.rpartition(" ")[2] for name in names}
            found.append(
                Application(client, tuple(sorted(plain)), min(times), bool(access and access.offline))
            )
    return tuple(sorted(found, key=lambda each: each.client.name.casefold()))


@again
def withdraw(user: User, client_id: UUID, address: str) -> Client | None:
    """Take back all that the person has allowed a client (its row's id); its grants end at once.

    None where there is no such client.
    """
    with transaction(), audit.acting(_person(user, address)):
        client = clients.by_id(client_id)
        if client is None:
            return None
        forgotten = consent.revoke(user.id, client.id)
        revoked = grants.revoke_of_user(user.id, "consent withdrawn", client.id)
        if forgotten or revoked:
            audit.record(Event.CONSENT_WITHDRAWN, client_id=client.client_id, count=revoked)
    return client


def history(
    user: User, events: Sequence[Event], before: datetime | None = None, limit: int = 50
) -> tuple[Entry, ...]:
    """What was recorded about the person, of these kinds, the newest first; personal values in their places."""
    rows = audit_log.of_person(user.id, [event.value for event in events], before, limit)
    return tuple(audit.opened(row) for row in rows)


def as_now(user: User) -> User:
    """The person as they are now, after a change. Raises Conflict when they are gone."""
    found = users.by_id(user.id)
    if found is None:
        raise Conflict("This account is gone.", rule="account.user")
    return found


def sentence(scope: str) -> str:
    """What a scope allows, in the words of the first API that declares it; "" where none does."""
    return next((api.scopes[scope] for api in directory.apis() if scope in api.scopes), "")
