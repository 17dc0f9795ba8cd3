"""Operators' verbs for how messages of the entered tenant go out: its sender, what a message looks like, a test.

A password is given and never shown. A sender counts as long as its domain is a host that the tenant has proved, and
not before: without that messages come from the platform's address by its server.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from idp import audit, clock, identifiers, mail, speech
from idp.audit import Actor, Event
from idp.control import tenants
from idp.errors import Invalid, NotFound
from idp.mail import Kind, What, bounces, messages, senders, texts
from idp.mail.messages import Message
from idp.outbox import Undelivered
from idp.store.database import transaction
from idp.store.durable import audit_log, mail_senders, mail_suppressions
from idp.store.durable.mail_senders import Sender
from idp.tenants import current

FIELDS = ("address", "name", "smtp")
PORTS = frozenset({25, 465, 587, 2525})
"""Ports of mail servers; another one is somebody else's."""
_URL = re.compile(r"smtps?://[!-~]{1,500}")
_LONGEST_PASSWORD = 1_024
MOST_COUNTED = 1_000
"""Messages that were not sent, of which the number is told exactly."""


def set_sender(
    given: Mapping[str, Any],
    actor: Actor | None = None,
    *,
    password: str | None = None,
    source_digest: bytes | None = None,
) -> tuple[Sender, list[str]]:
    """Set what is given of the tenant's sender; the sender, and what of it is new. Raises Invalid naming the field."""
    with transaction():
        present, now = mail_senders.find(), clock.now()
        kept = {name: getattr(present, name) if present else None for name in FIELDS}
        wanted = checked({**kept, **given})
        made = Sender(**wanted, kek_id=None, sealed=None, source_digest=None,
                      created_at=present.created_at if present else now, updated_at=now)  # fmt: skip
        changed = [name for name in FIELDS if wanted[name] != kept[name]]
        if password is not None:
            kek_id, sealed = senders.sealed(_password(password))
            made = replace(made, kek_id=kek_id, sealed=sealed, source_digest=source_digest)
            changed.append("password")
        elif present is not None and _place(present.smtp) == _place(made.smtp):
            # A password goes nowhere but to the server that it was given for.
            made = replace(
                made, kek_id=present.kek_id, sealed=present.sealed, source_digest=present.source_digest
            )
        _check_password(made)
        if changed:
            mail_senders.put(made)
            audit.record(Event.MAIL_SENDER_SET, actor, address=made.address, changed=changed)
    return made, changed


def _place(url: str | None) -> tuple[object, ...]:
    parts = urlsplit(url or "")
    return parts.scheme, parts.hostname, parts.port, parts.username


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a sender. Raises Invalid naming the field."""
    given = {**dict.fromkeys(FIELDS), **given}
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        raise Invalid(f"{unknown[0]} is not known here.", rule=str(unknown[0]))
    for field, check in (("address", identifiers.email), ("name", lambda value: identifiers.text(value, 64))):
        try:
            given[field] = None if given[field] is None and field == "name" else check(given[field])
        except ValueError as problem:
            raise Invalid(f"{field} {problem}.", rule=field) from None
    return {"address": given["address"], "name": given["name"], "smtp": _server(given["smtp"])}


def _server(url: object) -> str | None:
    if url is None:
        return None
    fits = isinstance(url, str) and _URL.fullmatch(url) is not None
    try:
        parts = urlsplit(str(url))
        host, port = parts.hostname or "", parts.port
        fits = (
            fits
            and parts.netloc.count("@") < 2
            and parts.path in ("", "/")
            and not parts.query
            and not parts.fragment
        )
        identifiers.host_name(host)
    except ValueError:
        fits = False
    if not fits:
        raise Invalid(
            "smtp must be smtps:// or smtp://, a user where there is one, a host, a port.", rule="smtp"
        )
    if parts.password is not None:
        raise Invalid("smtp must not hold the password; give it apart.", rule="smtp")
    if port is not None and port not in PORTS and not current().local:
        raise Invalid(f"The port of smtp must be one of {', '.join(map(str, sorted(PORTS)))}.", rule="smtp")
    return str(url).rstrip("/")


def _password(password: str) -> str:
    if not 0 < len(password) <= _LONGEST_PASSWORD or not password.isprintable():
        raise Invalid(f"password must have 1 to {_LONGEST_PASSWORD} printable characters.", rule="password")
    return password


def _check_password(sender: Sender) -> None:
    user = urlsplit(sender.smtp or "").username
    if sender.sealed is not None and not user:
        raise Invalid("password must not stand without a user in smtp.", rule="password")
    if sender.sealed is None and user:
        raise Invalid("password is missing, which the user in smtp needs.", rule="password")


def sender() -> Sender:
    """The tenant's sender. Raises NotFound where it has none."""
    found = mail_senders.find()
    if found is None:
        raise NotFound("The tenant has no sender of its own; the platform's is used.", rule="sender")
    return found


def remove_sender(actor: Actor | None = None) -> None:
    """Let messages come from the platform's address by its server again. Raises NotFound."""
    with transaction():
        gone = sender()
        mail_senders.remove()
        audit.record(Event.MAIL_SENDER_REMOVED, actor, address=gone.address)


def described() -> dict[str, Any]:
    """How messages go out now, as an answer shows it, never a password."""
    found = mail_senders.find()
    now, since = senders.way(), clock.now() - timedelta(days=1)
    return {
        "from": now.address,
        "name": now.name,
        "server": _shown(now.url) if now.own else "the platform's" if now.url else None,
        "address": found.address if found else None,
        "proved": senders.proved(found.address) if found else None,
        "password": "set" if found and found.sealed is not None else None,
        "withheld_in_a_day": len(audit_log.recent(MOST_COUNTED, Event.MAIL_WITHHELD, since)),
    }


def _shown(url: str | None) -> str:
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def suppressed(limit: int = 100) -> list[dict[str, Any]]:
    """The newest addresses to which nothing is sent, and why."""
    return [
        {
            "address": each.address,
            "why": each.why,
            "status": each.status,
            "since": each.created_at.isoformat(),
        }
        for each in mail_suppressions.every(limit)
    ]


def lift(address: str, actor: Actor | None = None) -> None:
    """Write to an address again. Raises NotFound where it is not suppressed."""
    with transaction():
        found = bounces.of(address)
        if found is None or not mail_suppressions.remove(found.address_norm):
            raise NotFound("This address is not suppressed.", rule="address")
        whose = {"user_id": found.user_id} if found.user_id else {}
        audit.record(Event.MAIL_LIFTED, actor, **whose)


def bounce(raw: bytes) -> tuple[str, bool]:
    """Take a message that came back: of which tenant it was, and whether its address gets none any more.

    Raises Invalid for everything that is no notification about a message of ours.
    """
    returned = bounces.read(raw)
    try:
        with tenants.enter(returned.slug):
            return returned.slug, bounces.came_back(returned)
    except NotFound:
        raise Invalid(
            "Nothing follows from this message: it is of no tenant here.", rule="mail.bounce"
        ) from None


def preview(kind: str, language: str) -> Message:
    """What a message looks like, with something in every field. Raises Invalid for an unknown kind or language."""
    if kind not in set(Kind):
        raise Invalid(f"There is no message {kind}: {', '.join(Kind)}.", rule="kind")
    if language not in speech.allowed():
        raise Invalid(
            f"The tenant does not speak {language}: {', '.join(speech.allowed())}.", rule="language"
        )
    samples: dict[str, Any] = {"what": What.PASSKEY_ADDED, "lasts": 86_400, "client": "Example"}
    given = {name: samples.get(name, f"({name})") for name in messages.fields(Kind(kind))}
    with speech.speaking(language):
        return texts.rendered(Kind(kind), f"{current().issuer}/account", given)


def test(address: str, language: str | None, actor: Actor | None = None) -> None:
    """Send a message now, past the outbox. Raises Invalid with what the server, or the way to it, has against it."""
    try:
        to = identifiers.email(address)
    except ValueError as problem:
        raise Invalid(f"address {problem}.", rule="address") from None
    with speech.speaking(language):
        try:
            mail.send_now(Kind.TEST, to)
        except mail.Refused as refusal:
            raise Invalid(f"The mail server refused it with {refusal.status}.", rule="mail.refused") from None
        except Undelivered as problem:
            raise Invalid(f"It was not sent: {problem.problem}.", rule="mail.undelivered") from None
    with transaction():
        audit.record(Event.MAIL_TESTED, actor)
