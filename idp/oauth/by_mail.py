"""Signing in by a code or a link from an e-mail: which belongs to this very sign-in, and what follows it.

The sign-in keeps by which name it knows its code (`Transaction.mailed`). A code is given at its page; a link opened
in the same browser signs in there, and opened in another one it signs nobody in there: it lets the browser go on in
which the sign-in began. What was right is used up in the transaction in which the session begins.
"""

from dataclasses import dataclass
from uuid import UUID

from idp import audit, directory, metrics, throttle
from idp.accounts import assurance, mailed
from idp.accounts.links import LinkGone
from idp.accounts.mailed import Place
from idp.audit import Event
from idp.errors import Refusal
from idp.ids import digest, same
from idp.oauth import flow, underway
from idp.oauth.authorize import Returned
from idp.oauth.flow import Ask, Due, Outcome
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.oauth.second_factor import Proved
from idp.oauth.underway import TransactionGone
from idp.store.database import again, transaction
from idp.store.durable.clients import Client
from idp.store.durable.mailed_codes import MailedCode
from idp.store.durable.users import User


@dataclass(frozen=True, slots=True)
class Opened:
    """What a link would sign in: whom, where it was asked for, and `due`: the sign-in, where it is this browser's."""

    row: MailedCode
    user: User
    place: Place
    client: Client | None
    due: Due | None


def ask(due: Due, name: str, browser: Browser, device: str | None) -> Ask:
    """Have a code sent to whoever is called `name`, and wait for it. Raises TooMany, TransactionGone."""
    going = due.going
    former = UUID(going.mailed[0]) if going.mailed else None
    row = mailed.ask(name, flow.place_of(due, browser), device, former)
    going.mailed = str(row), name[: mailed.NAME_LONGEST].strip()
    underway.keep(going)
    return Ask(Step.EMAIL, going.identifier)


def standing(due: Due) -> MailedCode | None:
    """The code that this sign-in waits for, while it can still be given; else None."""
    return (
        None if due.going.mailed is None else mailed.standing(UUID(due.going.mailed[0]), due.going.identifier)
    )


def give(due: Due, code: str, browser: Browser) -> Proved | None:
    """Judge a code and go on with what it makes; None for a wrong one, whyever it is.

    Raises TooMany, AccessDenied, TransactionGone, Unavailable, Away.
    """
    assert due.going.mailed is not None
    row = UUID(due.going.mailed[0])
    held = throttle.reserve(
        [throttle.counter("address", browser.address), throttle.budget_counter("sign_ins")]
    )
    try:
        user = mailed.judge(row, due.going.identifier, code, mailed.SIGN_IN)
        proved = None if user is None else _entered(due, row, browser)
    except Refusal:
        held.give_back()
        raise
    if proved is not None:
        held.give_back()
        return proved
    filled = held.failed()
    with transaction():
        mailed.wrong(row, browser.address)
        if filled:
            audit.record(Event.SIGN_IN_BLOCKED, audit.Actor("user", None, browser.address), limits=filled)
    return None


def go_on(due: Due, browser: Browser) -> Proved | None:
    """The link was confirmed at another place: sign in here; None while it was not."""
    row = standing(due)
    if row is None or mailed.confirmed(row) is None:
        return None
    return _entered(due, row.id, browser)


@again
def _entered(due: Due, row: UUID, browser: Browser) -> Proved | None:
    """Use the code up and sign in, in one transaction; None where it was used before."""
    with transaction():
        user = mailed.use(row, mailed.SIGN_IN)
        if user is None:
            return None
        due.going.mailed = None
        metrics.count("sign_ins_total", outcome="succeeded")
        return Proved(flow.sign_in(due, user, (assurance.ONE_TIME_CODE,), browser), user)


def another_way(due: Due, browser: Browser) -> Outcome:
    """Back to the page of all ways. Raises TransactionGone."""
    due.going.mailed = None
    return flow.go_on(due, browser)


def opened(token: str | None, browser: Browser) -> Opened:
    """What a link would sign in; nothing is used up by looking. Raises LinkGone."""
    row, user, place = mailed.find(token)
    due = None
    try:
        found = flow.due(place.transaction, browser)
        due = found if _waits(found, row) else None
    except (TransactionGone, Returned):
        if not underway.alive(place.transaction):
            raise LinkGone(rule="mailed.transaction", got="a sign-in that is over") from None
    client = directory.client(place.client_id) if place.client_id else None
    if place.client_id and (client is None or not client.active):
        raise LinkGone(rule="mailed.client", got="an application that is no more")
    return Opened(row, user, place, client, due)


def _waits(due: Due, row: MailedCode) -> bool:
    named = due.going.mailed is not None and due.going.mailed[0] == str(row.id)
    return named and due.step is Step.EMAIL and same(row.transaction, digest(due.going.identifier))


def confirm(found: Opened, browser: Browser) -> Proved | None:
    """The button behind the link was pressed: a sign-in in this browser, or None where another one goes on.

    Raises LinkGone for all but one of many at once.
    """
    if found.due is None:
        mailed.confirm(found.row, found.user, browser.address)
        return None
    proved = _entered(found.due, found.row.id, browser)
    if proved is None:
        raise LinkGone(rule="mailed.once", got="used")
    return proved
