"""Messages that come back: which addresses get none any more, and who may say so.

The mail server that refuses a recipient says it at once. What comes back later is a delivery status notification
(RFC 3464) about a message of ours, which is known by its Message-ID: to whom it went is sealed in there, so that only
somebody who has that very message can say that it came back, and of no other address.
"""

import email
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

from idp import audit, clock, identifiers
from idp.audit import Event
from idp.errors import Invalid
from idp.ids import uuid7
from idp.signing import sealed
from idp.signing.envelope import Unsealable
from idp.store.database import transaction
from idp.store.durable import mail_suppressions, users
from idp.store.durable.mail_suppressions import Suppression
from idp.tenants import current

REFUSED, BOUNCED = "refused", "bounced"
LONGEST = 1_048_576  # bytes of a message that came back
FRESH = 30 * 86_400  # seconds after which nothing comes back any more
_PURPOSE = "mail.bounce"
_MARK = re.compile(r"<([a-z0-9-]{1,63})\.([A-Za-z0-9_-]{40,1500})@[^<>\s]{1,255}>")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_NOT_THE_ADDRESS = ("5.2.2", "5.2.3", "5.3.", "5.4.", "5.5.", "5.6.", "5.7.")
"""RFC 3463: a full mailbox, the message, the way there, what they think of us. Others say that nobody is there."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a notification says: the tenant whose message it was, the mark in it, and how it failed for good."""

    slug: str
    mark: str
    status: str


def mark(letter: dict[str, Any]) -> str:
    """The part of a Message-ID before its @, by which a letter of the entered tenant is known again."""
    told = {"to": letter["to"], "user": letter["user"], "at": clock.epoch()}
    return f"{current().slug}.{sealed.write(_PURPOSE, told)}"


def lasting(status: str) -> bool:
    """Whether a status (RFC 3463) says that an address is nobody's, and not only that this message failed."""
    return status.startswith("5.") and not status.startswith(_NOT_THE_ADDRESS)


def read(raw: bytes) -> Returned:
    """What a delivery status notification says. Raises Invalid for everything else."""
    message = email.message_from_bytes(raw[:LONGEST], policy=default)
    if len(raw) > LONGEST or not isinstance(message, EmailMessage):
        raise _other("it is too long")
    if message.get_content_type() != "multipart/report" or not message.is_multipart():
        raise _other("it is no delivery status notification")
    parts = {part.get_content_type(): part for part in reversed(list(message.iter_parts())[:10])}
    status = _failed(parts.get("message/delivery-status"))
    if status is None:
        raise _other("it says of nobody that a message failed for good")
    found = _MARK.fullmatch(_original(parts).strip())
    if found is None:
        raise _other("the message that came back is none of ours")
    return Returned(found[1], found[2], status)


def _failed(part: Any) -> str | None:
    """The status of the first recipient for whom it failed for good (RFC 3464 section 2.3)."""
    blocks = part.get_payload() if part is not None and part.is_multipart() else []
    for block in blocks[:20]:
        said = _STATUS.search(str(block.get("Status", "")))
        if str(block.get("Action", "")).strip().lower() == "failed" and said and said[0].startswith("5"):
            return said[0]
    return None


def _original(parts: dict[str, Any]) -> str:
    """The Message-ID of what came back: the whole message, or its header."""
    whole = parts.get("message/rfc822")
    if whole is not None and whole.is_multipart():
        return str(whole.get_payload()[0].get("Message-ID", ""))
    for kind in ("text/rfc822-headers", "message/rfc822-headers"):
        if kind in parts:
            text = parts[kind].get_payload(decode=True) or b""
            return str(email.message_from_bytes(text, policy=default).get("Message-ID", ""))
    return ""


def came_back(returned: Returned) -> bool:
    """A message of the entered tenant came back; whether its address gets none any more. Raises Invalid."""
    try:
        told = sealed.read(_PURPOSE, returned.mark)
    except (Unsealable, ValueError):
        raise _other("the message that came back is none of ours") from None
    if clock.epoch() - int(told["at"]) > FRESH:
        raise _other("the message that came back was sent too long ago")
    who = UUID(told["user"]) if told["user"] else None
    with transaction():
        audit.record(Event.MAIL_BOUNCED, status=returned.status, **_of(who))
        return lasting(returned.status) and suppress(str(told["to"]), who, BOUNCED, returned.status)


def suppress(address: str, user_id: UUID | None, why: str, status: str) -> bool:
    """Send nothing to an address from now on; False where nothing was sent there already."""
    known = users.by_id(user_id) if user_id else None
    kept = Suppression(uuid7(), address, identifiers.email_key(address) or address, known.id if known else None,
                       why, status, clock.now())  # fmt: skip
    with transaction():
        if not mail_suppressions.add(kept):
            return False
        audit.record(Event.MAIL_SUPPRESSED, why=why, status=status, **_of(user_id))
    return True


def of(address: str) -> Suppression | None:
    """Why nothing is sent to an address; None where messages are."""
    return mail_suppressions.find(identifiers.email_key(address) or address)


def _of(user_id: UUID | None) -> dict[str, Any]:
    return {"user_id": user_id} if user_id else {}


def _other(why: str) -> Invalid:
    return Invalid(f"Nothing follows from this message: {why}.", rule="mail.bounce")
