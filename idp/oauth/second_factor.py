"""The second factor inside a sign-in: given on its page, or set up there by who must have one and has none.

What is right is used up, and the session begins or is raised, in one transaction: a code that was used is a session,
and one that was not can be tried again. Attempts are counted before they are judged (`idp.accounts.factors`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from idp import metrics
from idp.accounts import assurance, devices, factors, mailed, passkeys, telling, totp
from idp.accounts.factors import Holding, WrongCode
from idp.accounts.passkeys import PasskeyRefused
from idp.accounts.totp import Enrolment
from idp.errors import Refusal
from idp.ids import uuid7
from idp.mail import What
from idp.oauth import flow, underway
from idp.oauth.flow import Due, Entered, Outcome
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.signing import persons
from idp.signing.envelope import Unsealable
from idp.store.database import again, transaction
from idp.store.durable import users
from idp.store.durable.users import User

_CODES = b"idp codes to be put away"


@dataclass(frozen=True, slots=True)
class Proved:
    """What came of a second factor; `trusted`: the cookie of a device that is remembered from now on."""

    entered: Entered
    user: User
    trusted: str | None = None


def scope(due: Due, user: User) -> str:
    """What a passkey's challenge is bound to on the pages of this sign-in."""
    return f"{due.going.identifier}|{user.id}"


def whose(due: Due) -> User | None:
    """The person of whom the second factor is asked; None when they are gone."""
    if due.waiting is not None:
        return due.waiting
    return None if due.session is None else users.by_id(due.session.user_id)


def holding(due: Due, user: User) -> Holding:
    """What the person can give here."""
    given = due.given if due.waiting is not None else due.session.amr if due.session is not None else ()
    return factors.with_mail(factors.held_by(user.id), user, given)


def send_code(due: Due, user: User, browser: Browser) -> bool:
    """Write a code to the person, in place of a former one; False where none can be sent.

    Raises TooMany, TransactionGone.
    """
    if not holding(due, user).mail:
        return False
    former = UUID(due.going.mailed_second) if due.going.mailed_second else None
    row = mailed.send_second(user, flow.place_of(due, browser), former)
    due.going.mailed_second = None if row is None else str(row)
    underway.keep(due.going)
    return row is not None


def code_sent(due: Due, user: User) -> bool:
    """Whether a code was sent to this person that can still be given."""
    row = UUID(due.going.mailed_second) if due.going.mailed_second else None
    found = None if row is None else mailed.standing(row, due.going.identifier)
    return found is not None and found.user_id == user.id


def give(due: Due, user: User, way: str, answer: str, browser: Browser, *, remember: bool) -> Proved:
    """Judge a second factor and go on with what it makes.

    Raises WrongCode, PasskeyRefused, TooMany, AccessDenied, TransactionGone, Unavailable, Away.
    """
    held = factors.attempt(user, way, browser.address)
    try:
        if way == factors.EMAIL:
            _judge_mailed(due, user, answer)
        entered, trusted = _given(due, user, way, answer, browser, remember)
    except (WrongCode, PasskeyRefused):
        factors.turned_away(user, way, browser.address, held)
        raise
    except Refusal:
        held.give_back()
        raise
    held.give_back()
    return Proved(entered, user, trusted)


def _judge_mailed(due: Due, user: User, code: str) -> None:
    """The try counts whatever becomes of it, so this stands before the transaction. Raises WrongCode."""
    right = code_sent(due, user) and holding(due, user).mail
    row = UUID(due.going.mailed_second) if right and due.going.mailed_second else None
    if row is None or mailed.judge(row, due.going.identifier, code, mailed.SECOND_FACTOR) is None:
        raise WrongCode(rule="factors.email")


def _use_mailed(due: Due) -> tuple[str, ...]:
    """Use up the code that was judged. Raises WrongCode for all but one of many at once."""
    row = UUID(due.going.mailed_second) if due.going.mailed_second else None
    if row is None or mailed.use(row, mailed.SECOND_FACTOR) is None:
        raise WrongCode(rule="factors.email")
    metrics.count("second_factors_total", way=factors.EMAIL, outcome="right")
    return (assurance.ONE_TIME_CODE,)


@again
def _given(
    due: Due, user: User, way: str, answer: str, browser: Browser, remember: bool
) -> tuple[Entered, str | None]:
    with transaction():
        mail = way == factors.EMAIL
        amr = _use_mailed(due) if mail else factors.judge(user, way, answer, scope(due, user))
        entered = _go_on(due, user, amr, browser)
        wished = remember and not mail and entered.session is not None
        return entered, devices.remember(user, browser.user_agent) if wished else None


def _go_on(due: Due, user: User, amr: tuple[str, ...], browser: Browser) -> Entered:
    if due.waiting is None:
        assert due.session is not None
        return flow.step_up(due, due.session, amr, browser)
    return flow.enter(due, user, assurance.together(due.given, amr), browser)


def set_up(user: User, ticket: str = "") -> Enrolment:
    """What the page shows on which an authenticator is set up: what was begun, or a new beginning."""
    return (totp.resume(user, ticket) if ticket else None) or totp.begin(user)


def keep(due: Due, user: User, ticket: str, code: str, browser: Browser) -> Proved:
    """Keep the authenticator that was set up, and go on with two factors; the recovery codes are shown next.

    Raises WrongCode, TooMany, Conflict, AccessDenied, TransactionGone, Unavailable, Away.
    """

    def enrolled() -> tuple[tuple[str, ...], tuple[str, ...]]:
        return factors.enrol_totp(user, ticket, code, replacing=False), (assurance.ONE_TIME_CODE,)

    return _kept(due, user, factors.TOTP, enrolled, browser)


def keep_passkey(due: Due, user: User, answer: str, name: str, browser: Browser) -> Proved:
    """Keep the passkey that was made, as `keep` does. Raises PasskeyRefused and what `keep` raises."""

    def enrolled() -> tuple[tuple[str, ...], tuple[str, ...]]:
        codes = factors.enrol_passkey(user, answer, scope(due, user), name, replacing=False)
        newest = passkeys.of_user(user.id)[-1]
        return codes, passkeys.happened(newest.backup_eligible, verified=True)

    return _kept(due, user, factors.PASSKEY, enrolled, browser)


def _kept(
    due: Due,
    user: User,
    way: str,
    enrolled: Callable[[], tuple[tuple[str, ...], tuple[str, ...]]],
    browser: Browser,
) -> Proved:
    held = factors.attempt(user, way, browser.address)
    try:
        entered = _enrol(due, user, enrolled, browser)
    except (WrongCode, PasskeyRefused):
        factors.turned_away(user, way, browser.address, held)
        raise
    except Refusal:
        held.give_back()
        raise
    held.give_back()
    return Proved(entered, user)


@again
def _enrol(
    due: Due, user: User, enrolled: Callable[[], tuple[tuple[str, ...], tuple[str, ...]]], browser: Browser
) -> Entered:
    with transaction():
        codes, amr = enrolled()
        telling.factors_changed(user, What.FACTOR_SET_UP)
        due.going.codes = _sealed(user, codes) if codes else None
        return _go_on(due, user, amr, browser)


def _sealed(user: User, codes: tuple[str, ...]) -> str:
    row = uuid7()
    return f"{row}.{persons.seal(user.id, {'codes': list(codes)}, row, _CODES)}"


def codes_of(due: Due) -> tuple[str, ...]:
    """The recovery codes that this sign-in has made, until the person says that they are put away."""
    row, _, sealed = (due.going.codes or "").partition(".")
    if due.session is None or not sealed:
        return ()
    try:
        opened = persons.open_(due.session.user_id, sealed, UUID(row), _CODES)
    except (Unsealable, ValueError):
        return ()  # another person goes on in this browser
    return tuple(opened["codes"]) if opened else ()


def put_away(due: Due, browser: Browser) -> Outcome:
    """The person has their recovery codes. Raises TransactionGone."""
    if due.step is Step.CODES:
        due.going.codes = None
    return flow.go_on(due, browser)
