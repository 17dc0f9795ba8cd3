"""Codes by e-mail, and the link beside each in the same message: asked for, sent, judged, used up once.

Whoever asks gets the same answer after the same work: a row and a message in the outbox are written for every name,
and only the worker looks whether anybody is called so. A code belongs to one sign-in in one browser, is tried a few
times and then ended; code and link are one thing that is used once. What follows is decided in `idp.oauth.by_mail`.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from idp import audit, clock, mail, metrics, outbox, speech, throttle
from idp.accounts import authenticate, links, people
from idp.accounts.links import LinkGone
from idp.audit import Actor, Event
from idp.identifiers import email_key
from idp.ids import digest, same, secret, uuid7
from idp.signing import sealed
from idp.signing.ring import ring
from idp.store.database import transaction
from idp.store.durable import mailed_codes as rows
from idp.store.durable import sessions, users
from idp.store.durable.mailed_codes import MailedCode
from idp.store.durable.users import User
from idp.store.ephemeral.throttle_counters import Counter
from idp.tenants import current

ASKED, WRONG = "email_code.asked", "email_code.wrong"
"""Topics of the outbox."""
SIGN_IN, SECOND_FACTOR = "sign_in", "second_factor"
DIGITS = 8
NAME_LONGEST = 512
_KEY = b"mailed code"
_NOTHING = digest("no code was sent")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a code was asked for, as the page behind the link tells it; `client_id`: "" for a page of our own."""

    transaction: str
    client_id: str
    address: str
    agent: str


def offered() -> bool:
    """Whether people of the entered tenant sign in by e-mail."""
    return current().policy.email_sign_in != "off" and mail.possible()


def with_link() -> bool:
    """Whether a link stands beside the code."""
    return current().policy.email_sign_in == "code_and_link"


def ask(name: str, place: Place, device: str | None, former: UUID | None = None) -> UUID:
    """Somebody at `place` wants to sign in as `name`: by what the sign-in knows the code from now on.

    `device`: the value of the browser's device cookie; `former`: a code of the same sign-in, which is over. Raises
    TooMany, for accounts that exist and ones that do not alike.
    """
    called = name[:NAME_LONGEST].strip()
    throttle.count(throttle.email_codes(called.casefold(), place.address))
    throttle.budget("email_codes")
    with transaction():
        row = _begun(SIGN_IN, place, former)
        told = {
            "row": str(row.id),
            "name": called,
            "device": device or "",
            "address": place.address,
            "language": speech.asked(),
        }
        outbox.put(ASKED, {"sealed": sealed.write(ASKED, told)})
    return row.id


def _begun(purpose: str, place: Place, former: UUID | None) -> MailedCode:
    if former is not None:
        rows.use(former, clock.now())
    at = clock.now()
    shown = {"tx": place.transaction, "client": place.client_id, "address": place.address,
             "agent": place.agent, "issuer": current().issuer}  # fmt: skip
    row = MailedCode(
        id=uuid7(), purpose=purpose, transaction=digest(place.transaction), sealed=sealed.write(purpose, shown),
        user_id=None, state=None, code=None, link=None, tries=0, created_at=at,
        expires_at=at + timedelta(seconds=current().policy.email_code_lifetime),
    )  # fmt: skip
    rows.add(row)
    return row


def answer(payload: dict[str, Any]) -> None:
    """Carry out one message of the topic ASKED: write to the person, if there is one."""
    told = sealed.read(ASKED, payload["sealed"])
    row, user = rows.by_id(UUID(told["row"])), people.named(told["name"])
    if row is None or row.code is not None or row.used_at is not None or clock.now() >= row.expires_at:
        return
    if user is None or not offered() or not reaches(user):
        return
    with transaction(), speech.speaking(told.get("language")):
        if _too_many(user, told["device"], told["address"]):
            audit.record(Event.MAIL_WITHHELD, kind=mail.Kind.EMAIL_CODE.value, user_id=user.id)
        else:
            _send(row, user)


def reaches(user: User) -> bool:
    """Whether a code goes out to this person: an address that nobody confirmed may be a stranger's."""
    return user.active and bool(user.email) and (user.email_verified or current().policy.email_code_confirms)


def _too_many(user: User, device: str, address: str) -> bool:
    """Count a message to the person: those that they asked for themselves apart from those of strangers."""
    since = clock.now() - authenticate.KNOWN_FOR
    known = authenticate.proved(device, user) or sessions.known_address(user.id, address, since)
    return throttle.failed("mail", *_mailbox(user, known=known)) is not None


def _mailbox(user: User, *, known: bool) -> tuple[str, ...]:
    return (email_key(user.email or "") or "", *(("known",) if known else ()))


def counters(user: User) -> tuple[Counter, Counter]:
    """What counts messages to a person: those that strangers asked for, and those of their own."""
    strangers, own = (throttle.counter("mail", *_mailbox(user, known=known)) for known in (False, True))
    return strangers, own


def second_offered(user: User) -> bool:
    """Whether a code is a second factor of this person by the tenant's policy: at a confirmed address alone."""
    wanted = current().policy.email_second_factor != "off"
    return wanted and user.active and bool(user.email) and user.email_verified and mail.possible()


def send_second(user: User, place: Place, former: UUID | None = None) -> UUID | None:
    """Write a code to a person who has given a first factor; None where nothing can be sent. Raises TooMany."""
    throttle.count(throttle.email_codes(str(user.id), place.address))
    throttle.budget("email_codes")
    with transaction():
        if not second_offered(user) or throttle.failed("mail", *_mailbox(user, known=True)) is not None:
            return None
        row = _begun(SECOND_FACTOR, place, former)
        return row.id if _send(row, user) else None


def _send(row: MailedCode, user: User) -> bool:
    """Make code and link, and write them to the person, in the caller's transaction."""
    code, link = made(row, user)
    told = sealed.read(row.purpose, row.sealed)
    sent = mail.send(
        mail.Kind.EMAIL_CODE, user.email or "", user_id=user.id, code=spoken(code), link=link,
        wanted=SECOND_FACTOR if row.purpose == SECOND_FACTOR else "code_and_link" if link else "code",
        lasts=current().policy.email_code_lifetime, place=str(told["address"]),
    )  # fmt: skip
    if sent:
        audit.record(Event.EMAIL_CODE_SENT, user_id=user.id, purpose=row.purpose)
    return sent


def made(row: MailedCode, user: User) -> tuple[str, str]:
    """A new code and link in place of former ones; the link is "" where none stands beside it."""
    code, token = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}", secret()
    mac = _mac(ring().derive(_KEY), row.id, code)
    rows.fill(row.id, user.id, links.state(user), mac, digest(token))
    issuer = str(sealed.read(row.purpose, row.sealed)["issuer"])
    wanted = row.purpose == SIGN_IN and with_link() and issuer in current().issuers
    return code, f"{issuer}/sign-in?link={token}" if wanted else ""


def spoken(code: str) -> str:
    """A code as it is shown: in two halves."""
    return f"{code[: DIGITS // 2]} {code[DIGITS // 2 :]}"


def _mac(key: bytes, row: UUID, code: str) -> bytes:
    return hmac.digest(key, current().id.bytes + row.bytes + code.encode("ascii", "replace"), "sha256")


def standing(row_id: UUID, tx: str) -> MailedCode | None:
    """The code of this sign-in while it can still be given or its link opened; else None."""
    row = rows.by_id(row_id)
    over = (
        row is None
        or row.used_at is not None
        or row.tries >= current().policy.email_code_failures
        or clock.now() >= row.expires_at
    )
    return None if row is None or over or not same(row.transaction, digest(tx)) else row


def judge(row_id: UUID, tx: str, code: str, purpose: str) -> User | None:
    """Whose code this is, not yet used up; the try is counted before. None for a wrong one, and for every other."""
    given = "".join(code[:64].split()).replace("-", "")
    known = (
        rows.attempt(row_id, current().policy.email_code_failures)
        if standing(row_id, tx) is not None
        else None
    )
    wanted = known.code if known is not None and known.code is not None else _NOTHING
    fits = [same(wanted, _mac(key, row_id, given)) for _, key in ring().derive_all(_KEY)]
    if known is None or known.purpose != purpose or not any(fits):
        return None
    return _person(known)


def confirmed(row: MailedCode) -> User | None:
    """Whose sign-in it is that the link has confirmed at another place; None before."""
    return _person(row) if row.confirmed_at is not None else None


def _person(row: MailedCode, user: User | None = None) -> User | None:
    """Whose it is, while their account is as it was when it was sent."""
    user = user or (users.by_id(row.user_id) if row.user_id is not None else None)
    good = user is not None and user.active and row.state is not None and same(row.state, links.state(user))
    return user if good else None


def use(row_id: UUID, purpose: str) -> User | None:
    """Use it up, in the transaction of what it opens: the person, for exactly one of all who try; else None.

    Their address counts as confirmed from then on.
    """
    row = rows.by_id(row_id)
    if row is None or row.purpose != purpose or row.user_id is None:
        return None
    user = users.held(row.user_id)
    if user is None or _person(row, user) is None or clock.now() >= row.expires_at:
        return None
    if not rows.use(row_id, clock.now()):
        return None
    if user.email_verified:
        return user
    audit.record(Event.ADDRESS_CHANGED, Actor("user", str(user.id)), user_id=user.id, email=user.email)
    return users.change(user.id, email_verified=True)


def find(token: str | None) -> tuple[MailedCode, User, Place]:
    """What a link belongs to, looked at and not used up. Raises LinkGone, for whatever opens nothing alike."""
    known = bool(token) and len(token or "") == links.LENGTH and (token or "").isascii()
    row = rows.by_link(digest(token or "")) if known else None
    if row is None or row.purpose != SIGN_IN or row.used_at is not None or row.confirmed_at is not None:
        raise LinkGone(rule="mailed.link", got="none" if row is None else "used")
    if clock.now() >= row.expires_at or row.tries >= current().policy.email_code_failures or not with_link():
        raise LinkGone(rule="mailed.link", got="expired", setting="policy.email_code_lifetime")
    user = _person(row)
    if user is None:
        raise LinkGone(rule="mailed.state", got="the account has changed since")
    told = sealed.read(row.purpose, row.sealed)
    return row, user, Place(told["tx"], told["client"], told["address"], told["agent"])


def confirm(row: MailedCode, user: User, address: str) -> None:
    """Let the browser go on that asked for it. Raises LinkGone for all but one of many at once."""
    with transaction():
        if not rows.confirm(row.id, clock.now()):
            raise LinkGone(rule="mailed.once", got="used")
        audit.record(Event.EMAIL_CODE_CONFIRMED, Actor("user", str(user.id), address))


def refuse(row: MailedCode, user: User, address: str) -> None:
    """The person says that they did not ask for it: code and link are over. Raises LinkGone when they are already."""
    with transaction():
        if not rows.use(row.id, clock.now()):
            raise LinkGone(rule="mailed.once", got="used")
        audit.record(Event.EMAIL_CODE_REFUSED, Actor("user", str(user.id), address))


def wrong(row_id: UUID, address: str) -> None:
    """Leave word of a code that was wrong: after the same work for everybody, and the worker looks whose it was."""
    metrics.count("sign_ins_total", outcome="failed")
    outbox.put(WRONG, {"sealed": sealed.write(WRONG, {"row": str(row_id), "address": address})})


def record_wrong(payload: dict[str, Any]) -> None:
    """Carry out one message of the topic WRONG."""
    told = sealed.read(WRONG, payload["sealed"])
    row = rows.by_id(UUID(told["row"]))
    who = str(row.user_id) if row is not None and row.user_id is not None else None
    audit.record(Event.SIGN_IN_FAILED, Actor("user", who, told["address"]), way="email")


def waiting_for(user: User) -> MailedCode | None:
    """The newest code of a person that waits to be given, or None."""
    return rows.newest_of(user.id, clock.now())


def renewed(user: User) -> tuple[str, str] | None:
    """A new code and link for a person whose sign-in waits for one, in place of those before; else None."""
    row = waiting_for(user)
    return None if row is None or row.confirmed_at is not None else made(row, user)


def send_again(user: User) -> bool:
    """Write to a person anew whose sign-in waits for a code; False where none does, or nothing can be sent."""
    row = waiting_for(user)
    return row is not None and row.confirmed_at is None and _send(row, user)
