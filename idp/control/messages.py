"""Operators' verbs for the outbox of the entered tenant: what waits to be delivered, and what was given up."""

from typing import Any
from uuid import UUID

from idp import audit
from idp.audit import Actor, Event
from idp.errors import NotFound
from idp.store.database import transaction
from idp.store.durable import clients, outbox
from idp.store.durable.outbox import Entry


def list_(limit: int = 100) -> list[dict[str, Any]]:
    """At most `limit` messages that wait, then as many that were given up; never what they hold."""
    names: dict[str, str] = {}
    return [_described(entry, names) for entry in outbox.entries(limit)]


def put_back(message: str | None = None, actor: Actor | None = None) -> int:
    """Try once more what was given up, or that one of it; how many. Raises NotFound for one that was not."""
    wanted = _id(message) if message is not None else None
    with transaction():
        count = outbox.put_back(wanted)
        if wanted is not None and not count:
            raise _unknown()
        if count:
            audit.record(Event.MESSAGE_PUT_BACK, actor, count=count, message_id=wanted)
    return count


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _unknown() from None


def _unknown() -> NotFound:
    return NotFound("No message of that id was given up.", rule="message")


def _described(entry: Entry, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "state": "waiting" if entry.given_up_at is None else "given up",
        "topic": entry.topic,
        "recipient": _recipient(entry.recipient, names),
        "attempts": entry.attempts,
        "problem": entry.problem,
        "created_at": entry.created_at.isoformat(),
        "next_at": entry.next_at.isoformat() if entry.next_at else None,
        "given_up_at": entry.given_up_at.isoformat() if entry.given_up_at else None,
    }


def _recipient(recipient: str | None, names: dict[str, str]) -> str | None:
    """The client_id where the recipient is a client's row."""
    if recipient is None:
        return None
    if recipient not in names:
        try:
            client = clients.by_id(UUID(recipient))
        except ValueError:
            client = None
        names[recipient] = client.client_id if client is not None else recipient
    return names[recipient]
