"""Taking one's data along, and leaving: a copy of all that is known, and the end of an account after some days.

Whoever leaves is out at once: nobody signs in, every session and grant ends. Until the days of grace are over a link in
a message, or an operator, brings everything back; then the worker deletes the account, and with it the key under which
the record's personal values lie.
"""

from datetime import datetime, timedelta
from typing import Any

from idp import audit, clock, mail
from idp.accounts import account, links, sessions
from idp.accounts.links import Kind, LinkGone
from idp.audit import Actor, Event
from idp.errors import Conflict
from idp.store.database import again, transaction
from idp.store.durable import (
    audit_log,
    authenticators,
    grants,
    groups,
    identities,
    passkeys,
    remembered_devices,
    users,
)
from idp.store.durable import links as rows
from idp.store.durable.links import Link
from idp.store.durable.users import ACTIVE, DISABLED, User
from idp.tenants import current

MOST_EVENTS = 5_000


def copy(user: User) -> dict[str, Any]:
    """All that is known of a person, as JSON: never a credential, nothing of others. It is recorded."""
    app = authenticators.of_user(user.id)
    told = {
        "sub": str(user.id), "username": user.username, "email": user.email, "email_verified": user.email_verified,
        "claims": dict(user.claims), "created_at": user.created_at.isoformat(),
        "groups": [each.name for each in groups.of_user(user.id)],
        "roles": [each.name for each in groups.roles_of_user(user.id)],
        "sessions": [_session(each) for each in sessions.of_user(user.id)],
        "passkeys": [_told(each, "name", "created_at", "used_at") for each in passkeys.of_user(user.id)],
        "authenticator": None if app is None else _told(app, "created_at"),
        "identities": [
            _told(each, "issuer", "subject", "shown", "created_at", "used_at") for each in identities.of_user(user.id)
        ],
        "remembered_devices": [
            _told(each, "user_agent", "created_at", "expires_at") for each in remembered_devices.of_user(user.id)
        ],
        "applications": [_application(each) for each in account.applications(user)],
        "history": _history(user),
    }  # fmt: skip
    audit.record(Event.DATA_COPIED, user_id=user.id)
    return {"issuer": current().issuer, "at": clock.now().isoformat(), **told}


def _told(row: Any, *names: str) -> dict[str, Any]:
    """These members of a row, instants in words."""
    values = {name: getattr(row, name) for name in names}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }


def _session(each: Any) -> dict[str, Any]:
    told = _told(each, "created_at", "last_seen_at", "expires_at", "address", "user_agent")
    return {**told, "amr": list(each.amr)}


def _application(each: account.Application) -> dict[str, Any]:
    return {"client_id": each.client.client_id, "name": each.client.name, "scopes": list(each.scopes),
            "since": each.since.isoformat(), "offline": each.offline}  # fmt: skip


def _history(user: User) -> list[dict[str, Any]]:
    found = audit_log.of_person(user.id, [each.value for each in Event], limit=MOST_EVENTS)
    return [
        {"at": row.at.isoformat(), "event": row.event, "actor": _actor(row.actor, user), "facts": row.facts}
        for row in map(audit.opened, found)
    ]


def _actor(who: dict[str, Any], user: User) -> dict[str, Any]:
    """Who acted: all of it where it was the person, else no more than of which kind it was."""
    return who if who.get("id") == str(user.id) else {"kind": who["kind"]}


def offered() -> bool:
    """Whether accounts of the entered tenant end after days of grace, and so by their people too."""
    return current().policy.deletion_grace > 0


def written_to(user: User) -> bool:
    """Whether the link that keeps the account reaches the person."""
    return bool(user.email and user.email_verified) and mail.possible()


@again
def leave(user: User, actor: Actor) -> str:
    """End a person's account after the days of grace; the address of the link that keeps it.

    Raises Conflict where the tenant gives no such days, and for somebody who is suspended or has left.
    """
    if not offered():
        raise Conflict(
            "Nobody leaves with days of grace here (policy.deletion_grace is 0): delete the person instead.",
            rule="policy.deletion_grace",
        )
    grace = current().policy.deletion_grace
    with transaction(), audit.acting(actor):
        there = users.held(user.id)
        if there is None or not there.active:
            raise Conflict("The person is suspended, has left, or is gone.", rule="leaving.status")
        gone = users.change(user.id, status=DISABLED, not_before=clock.now()) or there
        links.forget(user.id)
        sessions.end_all(user, "left")
        grants.revoke_of_user(user.id, "left")
        link = links.make(Kind.KEEP, grace, gone)
        audit.record(Event.USER_LEFT, user_id=user.id)
        if gone.email and gone.email_verified:
            mail.send(mail.Kind.LEAVING, gone.email, user_id=gone.id, link=link, lasts=grace)
    return link


def ends_on() -> datetime:
    """When an account ends that is left now."""
    return clock.now() + timedelta(seconds=current().policy.deletion_grace)


def ends_at(user: User) -> datetime | None:
    """When the account of somebody who has left is deleted; None for everybody else."""
    link = rows.of_user(user.id, Kind.KEEP)
    return None if link is None or user.active else link.expires_at


def look(token: str | None) -> User:
    """Whose account a link keeps. Raises LinkGone."""
    return _found(token)[1]


def _found(token: str | None) -> tuple[Link, User]:
    link, user = links.find(Kind.KEEP, token)
    if user is None or user.active:
        raise LinkGone(rule="links.state", got="nobody has left")
    return link, user


@again
def keep(token: str | None, address: str) -> None:
    """The account stays; what was ended stays ended. Raises LinkGone."""
    link, user = _found(token)
    with transaction(), audit.acting(Actor("user", str(user.id), address)):
        links.burn(link)
        users.change(user.id, status=ACTIVE)
        audit.record(Event.USER_KEPT, user_id=user.id)


def carry_out() -> int:
    """Delete the accounts of the entered tenant whose days are over; how many. An opened one is left alone."""
    done = 0
    for link in rows.expired_of(Kind.KEEP, clock.now()):
        with transaction():
            user = users.held(link.user_id) if link.user_id else None
            if not rows.burn(link.id, clock.now()) or user is None or user.active:
                continue
            audit.record(Event.USER_DELETED, user_id=user.id, why="left")
            users.remove(user.id)
            done += 1
    return done
