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
from idp.store.database import again, transaction
from idp.store.durable import audit_log, grants, groups, users
from idp.store.durable import links as rows
from idp.store.durable.links import Link
from idp.store.durable.users import ACTIVE, DISABLED, User
from idp.tenants import current

MOST_EVENTS = 5_000


def copy(user: User) -> dict[str, Any]:
    """All that is known of a person, as JSON: never a credential. The copy itself is recorded."""
    told = {
        "sub": str(user.id), "username": user.username, "email": user.email, "email_verified": user.email_verified,
        "claims": dict(user.claims), "created_at": user.created_at.isoformat(),
        "groups": [each.name for each in groups.of_user(user.id)],
        "roles": [each.name for each in groups.roles_of_user(user.id)],
        "sessions": [_session(each) for each in sessions.of_user(user.id)],
        "applications": [_application(each) for each in account.applications(user)],
        "history": _history(user),
    }  # fmt: skip
    audit.record(Event.DATA_COPIED, user_id=user.id)
    return {"issuer": current().issuer, "at": clock.now().isoformat(), **told}


def _session(each: Any) -> dict[str, Any]:
    names = ("created_at", "last_seen_at", "expires_at")
    times = {name: getattr(each, name).isoformat() for name in names}
    return {**times, "amr": list(each.amr), "address": each.address, "user_agent": each.user_agent}


def _application(each: account.Application) -> dict[str, Any]:
    return {"client_id": each.client.client_id, "name": each.client.name, "scopes": list(each.scopes),
            "since": each.since.isoformat(), "offline": each.offline}  # fmt: skip


def _history(user: User) -> list[dict[str, Any]]:
    found = audit_log.of_person(user.id, [each.value for each in Event], limit=MOST_EVENTS)
    opened = (audit.opened(row) for row in found)
    return [
        {"at": row.at.isoformat(), "event": row.event, "actor": row.actor, "facts": row.facts}
        for row in opened
    ]


def offered() -> bool:
    """Whether people of the entered tenant may end their account themselves."""
    return current().policy.deletion_grace > 0


@again
def leave(user: User, actor: Actor) -> str:
    """End a person's account after the days of grace; the address of the link that keeps it."""
    grace = current().policy.deletion_grace
    with transaction(), audit.acting(actor):
        gone = users.change(user.id, status=DISABLED, not_before=clock.now())
        if gone is None:
            raise LinkGone(rule="leaving.user", got="gone")
        links.forget(user.id)
        sessions.end_all(user, "left")
        grants.revoke_of_user(user.id, "left")
        link = links.make(Kind.KEEP, max(grace, 60), gone)
        audit.record(Event.USER_LEFT, user_id=user.id)
        if user.email and user.email_verified:
            mail.send(mail.Kind.LEAVING, user.email, user_id=user.id, link=link, lasts=grace)
    return link


def ends_on() -> datetime:
    """When an account ends that is left now."""
    return clock.now() + timedelta(seconds=current().policy.deletion_grace)


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
