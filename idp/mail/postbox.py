"""The way of a message: sealed into the outbox by whoever changes something, opened and sent by the worker.

An address gets so many messages a day by the tenant's policy that strangers asked for, and the tenant sends so many
altogether; what is beyond is recorded, logged and not sent, and so is what goes to an address from which messages came
back. Messages to all addresses wait for the one SMTP server together.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from idp import audit, config, identifiers, outbox, speech, throttle
from idp.audit import Event
from idp.logs import log
from idp.mail import bounces, kept, messages, senders, smtp, texts
from idp.mail.messages import Kind
from idp.outbox import Undelivered
from idp.signing import sealed
from idp.signing.envelope import Unsealable
from idp.store.database import transaction
from idp.store.durable import users
from idp.tenants import current

TOPIC = "mail.send"
SERVER = "smtp"
"""The recipient of all messages in the outbox: who is silent is the server, not the person."""
_NOBODYS = (".example", ".invalid", ".localhost", ".test")
"""Ends of addresses that are nobody's (RFC 2606, RFC 6761): a development writes to them, a production does not."""


def language(user_id: UUID | None) -> str:
    """The language in which a person is written to; `user_id`: None for somebody who has no account yet."""
    person = users.by_id(user_id) if user_id else None
    return speech.to_person(person.claims.get("locale") if person else None)


def possible() -> bool:
    """Whether anything can be sent: a server is named, or this is a development, which keeps what it would send."""
    settings = config.settings()
    return settings.smtp_url is not None or settings.development or senders.has_server()


def send(
    kind: Kind,
    address: str,
    *,
    user_id: UUID | None = None,
    link: str | Callable[[], str] = "",
    **fields: Any,
) -> bool:
    """Write a message to an e-mail address in the caller's transaction; False when it will not be sent.

    `user_id`: whose it is, for the record and for the language; `link`: where its button leads, or what makes it once
    it is sure to be sent. What `messages.render` raises.
    """
    if not possible() or (address.endswith(_NOBODYS) and not config.settings().development):
        return False
    if (why := _against(kind, address)) is not None:
        audit.record(Event.MAIL_WITHHELD, kind=kind.value, why=why, **_of(user_id))
        log(__name__).warning("mail.withheld", tenant=current().slug, kind=kind.value, why=why)
        return False
    letter = _written(kind, address, user_id, link, fields)
    outbox.put_all(TOPIC, [(SERVER, {"sealed": sealed.write(TOPIC, letter)})])
    return True


def _against(kind: Kind, address: str) -> str | None:
    """Why a message is not sent: its address came back, or too many were sent there or altogether; None: it is."""
    if bounces.of(address) is not None:
        return "suppressed"
    if kind in messages.KNOCKED and throttle.failed("mail", identifiers.email_key(address) or "") is not None:
        return "recipient"
    return "tenant" if throttle.failed("tenant_mail") is not None and kind not in messages.SAFETY else None


def send_now(kind: Kind, address: str, **fields: Any) -> None:
    """Send a message past the outbox, for an operator who waits for what comes of it. Raises Refused, Undelivered."""
    _handed_over(_written(kind, address, None, "", fields))


def _written(
    kind: Kind, address: str, user_id: UUID | None, link: str | Callable[[], str], fields: dict[str, Any]
) -> dict[str, Any]:
    spoken = language(user_id)
    with speech.speaking(spoken):
        message = texts.rendered(kind, link if isinstance(link, str) else link(), fields)
    return {
        "to": address, "subject": message.subject, "text": message.text, "html": message.html,
        "kind": kind.value, "user": str(user_id) if user_id else None, "language": spoken,
    }  # fmt: skip


def deliver(payload: dict[str, Any]) -> None:
    """Send one message of the topic `mail.send`. Raises Undelivered where the server did not take it now.

    What the server refuses for good is recorded and not tried again.
    """
    letter = _opened(payload["sealed"])
    try:
        _handed_over(letter)
    except smtp.Refused as refusal:
        who = UUID(letter["user"]) if letter["user"] else None
        with transaction():
            audit.record(Event.MAIL_REFUSED, kind=letter["kind"], status=refusal.status, **_of(who))
            if refusal.nobody is not None and bounces.lasting(refusal.nobody):
                bounces.suppress(letter["to"], who, bounces.REFUSED, refusal.nobody)


def _handed_over(letter: dict[str, Any]) -> None:
    """Give a letter to the server, or keep it where there is none and this is a development."""
    settings, tenant = config.settings(), current()
    try:
        way = senders.way()
    except Unsealable:
        raise Undelivered("the server's password is sealed under another key", silent=True) from None
    mail = smtp.composed({**letter, "mark": bounces.mark(letter)}, way.name, way.address)
    if way.url is not None:
        smtp.send(way.url, mail, settings.outbound_ca, own=way.own)
    elif settings.development:
        kept.keep(tenant.slug, mail)
    else:
        raise Undelivered("no SMTP server is set", silent=True)


def _opened(text: str) -> dict[str, Any]:
    try:
        return sealed.read(TOPIC, text)
    except Unsealable:
        raise Undelivered("sealed under another key", silent=False) from None


def _of(user_id: UUID | None) -> dict[str, Any]:
    return {"user_id": user_id} if user_id else {}
