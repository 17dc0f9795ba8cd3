"""Another e-mail address: confirmed at the new one before it counts, told of at the old one.

Whether the new address is somebody's already is told to whoever reads its mail, and to nobody else: whoever asks gets
the same answer after the same work, and the worker writes. An address that nobody has confirmed is nobody's: whoever
confirms it has it.
"""

from typing import Any
from uuid import UUID

from idp import audit, mail, outbox, speech
from idp.accounts import links, people, telling
from idp.accounts.links import Kind, LinkGone
from idp.audit import Actor, Event
from idp.errors import Conflict
from idp.signing import sealed
from idp.store.database import again, transaction
from idp.store.durable import users
from idp.store.durable.links import Link
from idp.store.durable.users import User
from idp.tenants import current

TOPIC = "address.asked"


def offered() -> bool:
    """Whether people of the entered tenant may change their address themselves."""
    return current().policy.email_changes and mail.possible()


def ask(user: User, given: str, address: str) -> None:
    """Write to the new address of a person, who is at `address`. Raises Invalid for what is no address, TooMany."""
    new = people.address(given)
    links.asked(address)
    with transaction():
        audit.record(Event.ADDRESS_ASKED, Actor("user", str(user.id), address), user_id=user.id, email=new)
        told = {"user": str(user.id), "email": new, "language": speech.asked()}
        outbox.put(TOPIC, {"sealed": sealed.write(TOPIC, told)})


def answer(payload: dict[str, Any]) -> None:
    """Carry out one message of the topic `address.asked`: write to the address, if the person may still have it."""
    told = sealed.read(TOPIC, payload["sealed"])
    user = people.of(UUID(told["user"]))
    if user is not None and offered():
        with transaction(), speech.speaking(told.get("language")):
            _send(user, told["email"])


def send(user: User, new: str, actor: Actor | None = None) -> bool:
    """Write to an address that may become the person's, in the caller's transaction; False where nothing is sent."""
    audit.record(Event.ADDRESS_ASKED, actor, user_id=user.id, email=new)
    return _send(user, new)


def _send(user: User, new: str) -> bool:
    holder = people.named(new)
    if holder is not None and holder.id != user.id:
        return mail.send(mail.Kind.ADDRESS_TAKEN, new, link=f"{current().issuer}/account")
    lasts = current().policy.confirmation_lifetime
    return mail.send(mail.Kind.ADDRESS, new, user_id=user.id, link=lambda: made(user, new), lasts=lasts)


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
        holder = people.named(new)
        if holder is not None and holder.id != user.id:
            raise LinkGone(rule="links.state", got="the address is somebody else's")
        people.make_room(new, user.id)
        try:
            users.change(user.id, email=new, email_verified=True)
        except Conflict:
            raise LinkGone(rule="links.state", got="the address is somebody else's") from None
        links.forget(user.id)
        audit.record(Event.ADDRESS_CHANGED, user_id=user.id, email=new)
        telling.address_changed(user)
    return new
