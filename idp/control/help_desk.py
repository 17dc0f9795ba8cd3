"""Why somebody cannot sign in, and letting them try again: what a help desk asks first.

Owns: reading what would stop a person now, with the command that changes it, beside what happened lately. Leaves to
others: the changes themselves (`control.users`, `control.factors`).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from idp import audit, clock, identifiers, throttle
from idp.accounts import account, authenticate, factors, leaving, mailed, passwords, ways_in
from idp.audit import Actor, Event
from idp.control import users
from idp.errors import NotFound
from idp.mail import bounces
from idp.store.database import transaction
from idp.store.durable import credentials
from idp.store.durable import users as rows
from idp.store.durable.audit_log import Entry
from idp.store.durable.users import User
from idp.store.ephemeral.throttle_counters import Counter
from idp.tenants import current

LATELY = 12
"""Events that are shown."""
_EVENTS = tuple(
    event for event in Event
    if event.value.startswith((
        "sign_in.", "second_factor.", "session.started", "session.ended", "password.", "user.", "email_code.",
        "mail.withheld", "mail.refused",
    ))
)  # fmt: skip
_FAILURES = {Event.SIGN_IN_FAILED, Event.SIGN_IN_BLOCKED, Event.SECOND_FACTOR_FAILED}
_COUNTED = {
    "account": "wrong passwords from one address",
    "device": "wrong passwords with a known device",
    "account-everywhere": "wrong passwords from all unknown devices together",
    "mail": "messages to the e-mail address",
    "second_factor": "wrong second factors from one address",
    "second_factor-everywhere": "wrong second factors in a day",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stops a person, or will: `stops` now or not, in a sentence, and the command that changes it."""

    code: str
    stops: bool
    sentence: str
    command: str = ""


def find(name: str) -> User:
    """The person of a username, an id, or a verified e-mail address. Raises NotFound."""
    try:
        return users.show(name)
    except NotFound:
        found = rows.for_sign_in("", identifiers.email_key(name) or "")
        if found is None:
            raise
        return found[0]


def why(name: str, actor: Actor) -> dict[str, Any]:
    """What stops a person from signing in, what will be asked of them, and what happened lately; recorded.

    Raises NotFound, and Away while there is no Redis.
    """
    user = find(name)
    happened = account.history(user, _EVENTS, limit=LATELY)
    reasons = [*_account(user), *_mail(user), *_limits(user, happened), *_second_factor(user)]
    if not any(reason.stops for reason in reasons):
        reasons.append(_nothing(user, happened))
    with transaction():
        audit.record(Event.USER_SHOWN, actor, user_ids=[user.id])
    return {
        "username": user.username,
        "sub": str(user.id),
        "stopped": any(reason.stops for reason in reasons),
        "reasons": [asdict(reason) for reason in reasons],
        "lately": [_told(entry) for entry in happened],
    }


def unlock(name: str, actor: Actor) -> tuple[str, int]:
    """Let a person try again at once: their username, and how many limits were counting.

    Raises NotFound, and Away while there is no Redis.
    """
    user = find(name)
    counters = _counters(user, account.history(user, tuple(_FAILURES), limit=100))
    counting = len(throttle.standing(counters))
    with transaction():
        audit.record(Event.USER_UNLOCKED, actor, user_id=user.id, count=counting)
        throttle.lift(counters)
    return user.username, counting


def _account(user: User) -> Iterable[Reason]:
    tenant = current()
    if not tenant.active:
        yield Reason("tenant", True, f"The tenant is {tenant.status}.", f"idp tenant resume {tenant.slug}")
    if not user.active:
        ends = leaving.ends_at(user)
        said = (
            f"The person has left; the account is deleted on {ends:%-d %B %Y}."
            if ends
            else "The account is suspended."
        )
        yield Reason("status", True, said, _command("resume", user))
    stored = credentials.password_of(user.id)
    if stored is None:
        others = " or ".join(ways_in.of(user).beside)
        said = f"There is no password; {others} signs in instead." if others else "There is no password."
        yield Reason("password", not others, said, "" if others else _command("send-reset", user))
    elif passwords.outdated(stored):
        yield Reason("password", False, "The password was brought along and is renewed at the next sign-in.")
    if mailed.offered():
        yield from _by_mail(user)
    if user.email is not None and not user.email_verified:
        sentence = "The e-mail address is not confirmed: it is no sign-in name, the username is."
        yield Reason("email", False, sentence, _command("update", user, "--email-verified"))


def _by_mail(user: User) -> Iterable[Reason]:
    waiting = mailed.waiting_for(user)
    if waiting is not None:
        until = _in(int((waiting.expires_at - clock.now()).total_seconds()))
        sentence = f"A code by e-mail waits to be given, until {until} from now; {waiting.tries} were wrong."
        yield Reason("email_code", False, sentence, _command("send-code", user))
    elif not mailed.reaches(user):
        yield Reason("email_code", False, "No code by e-mail goes out: there is no confirmed address.")


def _mail(user: User) -> Iterable[Reason]:
    """What keeps messages from the person: links and codes do not arrive then."""
    held = bounces.of(user.email) if user.email else None
    if held is not None:
        since = f"{held.created_at:%Y-%m-%d}"
        said = f"Nothing is sent to the e-mail address since {since}: it was {held.why} with {held.status}."
        yield Reason("mail", False, said, f"idp mail lift {user.email} --tenant {current().slug}")


def _limits(user: User, happened: Iterable[Entry]) -> Iterable[Reason]:
    for counter, count, seconds in throttle.standing(_counters(user, happened)):
        full = count >= counter.most
        counted = f"{count} of {counter.most} {_COUNTED[counter.kind]}, until {_in(seconds)} from now."
        yield Reason(f"limit.{counter.kind}", full, counted, _command("unlock", user) if full else "")


def _counters(user: User, happened: Iterable[Entry]) -> list[Counter]:
    """What counts against a person, at each address from which somebody failed lately."""
    addresses = {str(entry.actor.get("address") or "") for entry in happened if entry.event in _FAILURES}
    found: dict[tuple[str, str], Counter] = {}
    for address in addresses or {""}:
        for each in (*authenticate.counters(user.id, address), *factors.counters(user.id, address)):
            found[each.kind, each.key] = each
    found |= {(each.kind, each.key): each for each in mailed.counters(user)}
    return list(found.values())


def _second_factor(user: User) -> Iterable[Reason]:
    held = factors.held_by(user.id)
    if held.own:
        commands = f"{_command('temporary-code', user)}, or {_command('reset-factors', user)}"
        yield Reason("second_factor", False, "A second factor is asked for as well.", commands)
    elif factors.demanded(user.id) and mailed.second_offered(user):
        yield Reason("second_factor", False, "A code by e-mail is asked for as well.")
    elif factors.demanded(user.id):
        yield Reason("second_factor", False, "A second factor has to be set up at the next sign-in.")


def _nothing(user: User, happened: Iterable[Entry]) -> Reason:
    """What is left when nothing stops the person: what the newest attempt says."""
    last = next((entry for entry in happened if entry.event in {*_FAILURES, Event.SESSION_STARTED}), None)
    if last is None:
        return Reason("nothing", False, "Nobody has tried to sign in lately.")
    if last.event == Event.SESSION_STARTED:
        return Reason("nothing", False, "The newest sign-in went well.")
    if last.event == Event.SECOND_FACTOR_FAILED:
        return Reason(
            "wrong", False, "The newest attempt had a wrong second factor.", _command("temporary-code", user)
        )
    if last.event == Event.SIGN_IN_FAILED and last.facts.get("way") == "email":
        return Reason(
            "wrong", False, "The newest attempt had a wrong code by e-mail.", _command("send-code", user)
        )
    return Reason("wrong", False, "The newest attempt had a wrong password.", _command("send-reset", user))


def _told(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(timespec="seconds"), "event": entry.event, "by": entry.actor["kind"],
        "address": entry.actor.get("address"), "request_id": entry.request_id,
        "ago": _in(int((clock.now() - entry.at).total_seconds())),
    }  # fmt: skip


def _in(seconds: int) -> str:
    """A duration in its largest unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"


def _command(verb: str, user: User, *more: str) -> str:
    return " ".join(["idp user", verb, user.username, "--tenant", current().slug, *more])
