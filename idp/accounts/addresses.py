"""Another e-mail address: confirmed at the new one before it counts, told of at the old one.

Whether the new address is somebody's already is told to whoever reads its mail, and to nobody else.
"""

from idp import audit, identifiers, mail, throttle
from idp.accounts import links, telling
from idp.accounts.links import Kind, LinkGone
from idp.audit import Actor, Event
from idp.errors import Conflict, Invalid, TooMany
from idp.store.database import again, transaction
from idp.store.durable import users
from idp.store.durable.links import Link
from idp.store.durable.users import User
from idp.tenants import current


def offered() -> bool:
    """Whether people of the entered tenant may change their address themselves."""
    return current().policy.email_changes and mail.possible()


def ask(user: User, given: str, address: str) -> None:
    """Write to the new address of a person, who is at `address`. Raises Invalid for what is no address, TooMany."""
    try:
        new = identifiers.email(given.strip())
    except ValueError as problem:
        raise Invalid(f"This is no e-mail address: it {problem}.", rule="email") from None
    retry = throttle.failed("recovery", address)
    if retry is not None:
        raise TooMany(retry_after=retry, rule="throttle.recovery", setting="policy.recoveries")
    with transaction():
        send(user, new, Actor("user", str(user.id), address))


def send(user: User, new: str, actor: Actor | None = None) -> bool:
    """Write to an address that may become the person's, in the caller's transaction; False where nothing is sent."""
    found = users.for_sign_in("", identifiers.email_key(new) or "")
    if found is not None and found[0].id != user.id:
        return mail.send(mail.Kind.ADDRESS_TAKEN, new, link=f"{current().issuer}/account")
    lasts = current().policy.confirmation_lifetime
    sent = mail.send(mail.Kind.ADDRESS, new, user_id=user.id, link=lambda: made(user, new), lasts=lasts)
    if sent:
        audit.record(Event.ADDRESS_ASKED, actor, user_id=user.id, email=new)
    return sent


def made(user: User, new: str) -> str:
    """A link for the person that makes an address theirs, in the caller's transaction."""
    return links.make(Kind.ADDRESS, current().policy.confirmation_lifetime, user, email=new)


def look(token: str | None) -> tuple[User, str]:
    """Whose address a link would change, and to which. Raises LinkGone."""
    link, user = _found(token)
    return user, str(links.carried(link)["email"])


def _found(token: str | None) -> tuple[Link, User]:
    link, user = links.find(Kind.ADDRESS, token)
    if user is None:
        raise LinkGone(rule="links.state", got="nobody's")
    return link, user


@again
def confirm(token: str | None, address: str) -> str:
    """The address is the person's from now on; which it is. Raises LinkGone, also when it became another's."""
    link, user = _found(token)
    new = str(links.carried(link)["email"])
    with transaction(), audit.acting(Actor("user", str(user.id), address)):
        links.burn(link)
        try:
            users.change(user.id, email=new, email_verified=True)
        except Conflict:
            raise LinkGone(rule="links.state", got="the address is somebody else's") from None
        links.forget(user.id)
        audit.record(Event.ADDRESS_CHANGED, user_id=user.id, email=new)
        telling.address_changed(user)
    return new
