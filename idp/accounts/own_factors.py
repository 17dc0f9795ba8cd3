"""What people change about their own second factors, each change with its event and a message to their address.

Whoever has a factor has shown one in this session before (`idp.web.persons`); who has none sets up the first one after
a fresh sign-in. A session in which a factor was set up has given it, and goes on under a new token.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from idp import audit
from idp.accounts import assurance, factors, passkeys, recovery_codes, sessions, telling, ways_in
from idp.accounts.factors import WrongCode
from idp.accounts.passkeys import PasskeyRefused
from idp.audit import Event
from idp.errors import Conflict, Refusal
from idp.mail import What
from idp.speech import say
from idp.store.database import again, transaction
from idp.store.durable import authenticators, remembered_devices, users
from idp.store.durable import passkeys as passkey_rows
from idp.store.durable import recovery_codes as code_rows
from idp.store.durable.sessions import Session
from idp.store.durable.users import User


@dataclass(frozen=True, slots=True)
class Changed:
    """New recovery codes, where the change has made some, and the session's new cookie."""

    codes: tuple[str, ...]
    session: str | None


def scope(session: Session) -> str:
    """What a passkey's challenge is bound to on the account pages."""
    return f"account|{session.id}"


def add_app(user: User, session: Session, ticket: str, code: str, address: str) -> Changed:
    """Keep the authenticator app that was set up, in place of a former one. Raises WrongCode, TooMany, Conflict."""

    def enrolled() -> tuple[tuple[str, ...], tuple[str, ...]]:
        made = factors.enrol_totp(user, ticket, code, replacing=_shown(session))
        return made, (assurance.ONE_TIME_CODE,)

    return _added(user, session, factors.TOTP, What.APP_ADDED, enrolled, address)


def add_passkey(user: User, session: Session, answer: str, name: str, address: str) -> Changed:
    """Keep a passkey that the browser has made. Raises PasskeyRefused, TooMany, Conflict."""

    def enrolled() -> tuple[tuple[str, ...], tuple[str, ...]]:
        made = factors.enrol_passkey(user, answer, scope(session), name, replacing=_shown(session))
        newest = passkeys.of_user(user.id)[-1]
        return made, passkeys.happened(newest.backup_eligible, verified=True)

    return _added(user, session, factors.PASSKEY, What.PASSKEY_ADDED, enrolled, address)


def _shown(session: Session) -> bool:
    """Whether the session has shown a factor that the person has, or the tenant asks nobody for one."""
    return session.acr == assurance.TWO or assurance.TWO not in assurance.reachable()


def _added(
    user: User,
    session: Session,
    way: str,
    what: What,
    enrolled: Callable[[], tuple[tuple[str, ...], tuple[str, ...]]],
    address: str,
) -> Changed:
    held = factors.attempt(user, way, address)
    try:
        changed = _kept(user, session, what, enrolled)
    except (WrongCode, PasskeyRefused):
        factors.turned_away(user, way, address, held)
        raise
    except Refusal:
        held.give_back()
        raise
    held.give_back()
    return changed


@again
def _kept(
    user: User, session: Session, what: What, enrolled: Callable[[], tuple[tuple[str, ...], tuple[str, ...]]]
) -> Changed:
    with transaction():
        codes, amr = enrolled()
        telling.factors_changed(user, what)
        raised = sessions.raised(session, assurance.together(session.amr, amr))
        if raised is None:
            raise Conflict("This session has ended meanwhile.", rule="account.session")
    return Changed(codes, raised[1])


@again
def remove_app(user: User) -> bool:
    """Take the authenticator app away; False when there was none. Raises Conflict when it is needed."""
    with transaction():
        users.held(user.id)
        _spare(user)
        if not authenticators.remove(user.id):
            return False
        audit.record(Event.AUTHENTICATOR_REMOVED, audit.Actor("user", str(user.id)))
        _removed(user, What.APP_REMOVED)
    return True


@again
def remove_passkey(user: User, passkey_id: UUID) -> bool:
    """Take a passkey away; False when the person has no such one. Raises Conflict when it is needed, LastWayIn."""
    with transaction():
        users.held(user.id)
        _spare(user)
        ways_in.spare(user, passkey_id)
        if not passkey_rows.remove(user.id, passkey_id):
            return False
        audit.record(Event.PASSKEY_REMOVED, audit.Actor("user", str(user.id)), passkey_id=passkey_id)
        _removed(user, What.PASSKEY_REMOVED)
    return True


def _spare(user: User) -> None:
    """Raise Conflict where the last factor of somebody who must have one would go."""
    holding = factors.held_by(user.id)
    if holding.passkeys + holding.authenticator <= 1 and factors.demanded(user.id):
        raise Conflict(say("You need a second factor here. Add another one first."), rule="factors.last")


def _removed(user: User, what: What) -> None:
    remembered_devices.forget(user.id)
    if not factors.held_by(user.id).own:
        code_rows.remove(user.id)
    telling.factors_changed(user, what)


@again
def new_codes(user: User) -> tuple[str, ...]:
    """New recovery codes; the former ones are no more. Raises Conflict where there is no factor to stand in for."""
    with transaction():
        if not factors.held_by(user.id).own:
            raise Conflict(say("Set up an authenticator app or a passkey first."), rule="factors.none")
        telling.factors_changed(user, What.CODES_MADE)
        return recovery_codes.make(user.id)
