"""A password for somebody who forgot theirs or never had one: a link by e-mail, once, for half an hour.

Whoever asks gets the same answer after the same work: a name goes into the outbox, sealed, and only the worker looks
whether anybody is called so. Only a confirmed address is written to. A reset signs nobody in: it ends every session
and grant, and the sign-in that was under way goes on with the new password and whatever else is asked there.
"""

from typing import Any

from idp import audit, clock, identifiers, mail, outbox, speech
from idp.accounts import links, passwords, sessions, strength, telling
from idp.accounts.links import Kind, LinkGone
from idp.audit import Actor, Event
from idp.mail import What
from idp.signing import sealed
from idp.store.database import again, transaction
from idp.store.durable import credentials, grants, users
from idp.store.durable.links import Link
from idp.store.durable.users import User
from idp.tenants import current

TOPIC = "recovery.asked"
NAME_LONGEST = 512


def offered() -> bool:
    """Whether people of the entered tenant may recover a password by e-mail."""
    return current().policy.password_recovery and mail.possible()


def ask(name: str, transaction_id: str, address: str) -> None:
    """Somebody at `address` says that they are called `name` and forgot their password. Raises TooMany.

    `transaction_id`: the sign-in that is to go on afterwards, or "".
    """
    links.asked(address)
    told = {"name": name[:NAME_LONGEST], "tx": transaction_id[:64], "language": speech.asked()}
    outbox.put(TOPIC, {"sealed": sealed.write(TOPIC, told)})


def ask_first(user: User, address: str) -> bool:
    """Write to a signed-in person at `address` who never had a password; False where nobody can. Raises TooMany."""
    if not offered() or not user.email_verified:
        return False
    links.asked(address)
    with transaction():
        return send(user, actor=Actor("user", str(user.id), address))


def answer(payload: dict[str, Any]) -> None:
    """Carry out one message of the topic `recovery.asked`: write to the person, if there is one."""
    told = sealed.read(TOPIC, payload["sealed"])
    user = _called(told["name"])
    if not offered() or user is None:
        return
    with transaction(), speech.speaking(told.get("language")):
        send(user, told["tx"])


def _called(name: str) -> User | None:
    """The active person of that name or confirmed address who can be written to."""
    try:
        prepared = identifiers.username(name)
    except ValueError:
        prepared = ""
    found = users.for_sign_in(prepared, identifiers.email_key(name) or "")
    user = found[0] if found else None
    return user if user and user.active and user.email and user.email_verified else None


def send(user: User, transaction_id: str = "", actor: Actor | None = None) -> bool:
    """Write a link to the person's confirmed address, in the caller's transaction; False where none is sent."""
    address = user.email if user.email_verified else None
    if not address:
        return False
    sent = mail.send(
        mail.Kind.PASSWORD_RESET,
        address,
        user_id=user.id,
        link=lambda: made(user, transaction_id),
        lasts=current().policy.reset_lifetime,
    )
    if sent:
        audit.record(Event.RECOVERY_SENT, actor, user_id=user.id)
    return sent


def made(user: User, transaction_id: str = "") -> str:
    """A link for the person, in the caller's transaction."""
    return links.make(Kind.RESET, current().policy.reset_lifetime, user, tx=transaction_id)


def look(token: str | None) -> User:
    """Whose password a link would set. Raises LinkGone."""
    return _found(token)[1]


def _found(token: str | None) -> tuple[Link, User]:
    link, user = links.find(Kind.RESET, token)
    if user is None:
        raise LinkGone(rule="links.state", got="nobody's")
    return link, user


def reset(token: str | None, password: str, address: str) -> str:
    """Set the password by a link; the sign-in that goes on, or "". Raises LinkGone, Weak, Busy."""
    link, user = _found(token)
    strength.check(password, user)
    secret = passwords.hash(password)
    _done(link, user, secret, address)
    return str(links.carried(link).get("tx", ""))


@again
def _done(link: Link, user: User, secret: str, address: str) -> None:
    with transaction(), audit.acting(Actor("user", str(user.id), address)):
        links.burn(link)
        credentials.put_password(user.id, secret)
        users.change(user.id, not_before=clock.now())
        sessions.end_all(user, "password_reset")
        grants.revoke_of_user(user.id, "password_reset")
        links.forget(user.id)
        audit.record(Event.PASSWORD_RECOVERED, user_id=user.id)
        telling.password_changed(user, What.PASSWORD_BY_LINK)
