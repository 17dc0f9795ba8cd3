"""The way of a message: sealed into the outbox by whoever changes something, opened and sent by the worker.

An address gets so many messages a day by the tenant's policy that strangers asked for; what is beyond is recorded and
not sent. Messages to all addresses wait for the one SMTP server together.
"""

import json
from typing import Any
from uuid import UUID

from idp import audit, config, identifiers, outbox, throttle
from idp.audit import Event
from idp.ids import b64, unb64
from idp.mail import kept, messages, smtp
from idp.mail.messages import Kind
from idp.outbox import Undelivered
from idp.signing import envelope
from idp.signing.envelope import Unsealable
from idp.signing.ring import ring
from idp.tenants import current

TOPIC = "mail.send"
SERVER = "smtp"
"""The recipient of all messages in the outbox: who is silent is the server, not the person."""
_PURPOSE = b"mail"


def possible() -> bool:
    """Whether anything can be sent: a server is named, or this is a development, which keeps what it would send."""
    return config.settings().smtp_url is not None or config.settings().development


def send(kind: Kind, address: str, *, user_id: UUID | None = None, link: str = "", **fields: Any) -> bool:
    """Write a message to an e-mail address in the caller's transaction; False when it will not be sent.

    `user_id`: whose it is, for the record. What `messages.render` raises.
    """
    if not possible():
        return False
    if kind in messages.KNOCKED and throttle.failed("mail", identifiers.email_key(address) or "") is not None:
        audit.record(Event.MAIL_WITHHELD, kind=kind.value, **_of(user_id))
        return False
    message = messages.render(kind, link, **fields)
    letter = {
        "to": address, "subject": message.subject, "text": message.text, "html": message.html,
        "kind": kind.value, "user": str(user_id) if user_id else None,
    }  # fmt: skip
    sealed = envelope.seal(ring().derive(_PURPOSE), json.dumps(letter).encode(), _bound())
    outbox.put_all(TOPIC, [(SERVER, {"sealed": b64(sealed)})])
    return True


def deliver(payload: dict[str, Any]) -> None:
    """Send one message of the topic `mail.send`. Raises Undelivered where the server did not take it now.

    What the server refuses for good is recorded and not tried again.
    """
    letter = _opened(payload["sealed"])
    settings, tenant = config.settings(), current()
    mail = smtp.composed(letter, tenant.name, settings.mail_from or smtp.nobody(tenant.issuer))
    if settings.smtp_url is None:
        if not settings.development:
            raise Undelivered("no SMTP server is set", silent=True)
        kept.keep(tenant.slug, mail)
        return
    try:
        smtp.send(settings.smtp_url, mail, settings.outbound_ca)
    except smtp.Refused as refusal:
        who = UUID(letter["user"]) if letter["user"] else None
        audit.record(Event.MAIL_REFUSED, kind=letter["kind"], status=refusal.status, **_of(who))


def _opened(sealed: str) -> dict[str, Any]:
    for _, key in ring().derive_all(_PURPOSE):
        try:
            letter: dict[str, Any] = json.loads(envelope.open_(key, unb64(sealed), _bound()))
            return letter
        except Unsealable:
            continue
    raise Undelivered("sealed under another key", silent=False)


def _bound() -> bytes:
    return b"idp mail\x00" + current().id.bytes


def _of(user_id: UUID | None) -> dict[str, Any]:
    return {"user_id": user_id} if user_id else {}
