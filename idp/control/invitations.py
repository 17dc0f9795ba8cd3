"""Operators' verbs for people who have no account yet."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp import audit, clock
from idp.accounts import joining, links
from idp.accounts.links import Kind
from idp.audit import Actor, Event
from idp.errors import NotFound
from idp.store.database import transaction
from idp.store.durable import links as rows


@dataclass(frozen=True, slots=True)
class Invitation:
    """One that still opens an account: for which address, with which roles and groups of the tenant."""

    id: UUID
    email: str
    roles: tuple[str, ...]
    groups: tuple[str, ...]
    sent_at: datetime
    ends_at: datetime


def send(
    email: str,
    roles: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    actor: Actor | None = None,
    *,
    reveal: bool = False,
) -> str | None:
    """Invite somebody to the entered tenant; the link where it is to be revealed instead of sent.

    Raises Invalid, Conflict as `joining.invite` does.
    """
    return joining.invite(email, roles, groups, actor, reveal=reveal)


def waiting(limit: int = 100) -> tuple[Invitation, ...]:
    """The newest invitations that nobody has followed yet and whose time is not over, at most `limit`."""
    found = []
    for link in rows.open_of(Kind.JOIN, clock.now(), limit):
        told = links.carried(link)
        if told.get("invited"):  # else somebody registers by themselves
            named = (tuple(told.get("roles", ())), tuple(told.get("groups", ())))
            found.append(Invitation(link.id, str(told["email"]), *named, link.created_at, link.expires_at))
    return tuple(found)


def revoke(invitation: str, actor: Actor | None = None) -> None:
    """Take an invitation back, by its id: its link opens nothing any more. Raises NotFound."""
    with transaction():
        if not _is_id(invitation) or not rows.drop(UUID(invitation), Kind.JOIN):
            raise NotFound("There is no such invitation, or it was followed.", rule="invitation")
        audit.record(Event.INVITATION_REVOKED, actor, invitation_id=UUID(invitation))


def _is_id(text: str) -> bool:
    try:
        return len(text) == 36 and bool(UUID(text))
    except ValueError:
        return False
