"""How people come to have an account: by registering where the tenant is open, or by an invitation.

An account comes into being when its address is confirmed and not before, so that nobody can sit in one that waits for
somebody else's address. Whoever registers gets the same answer whether there is an account or not; only the mail says
it, to whoever reads it. Its username is the address: a name of one's own choice would tell which names are taken.
"""

from dataclasses import dataclass
from typing import Any

from idp import audit, mail, outbox, speech
from idp.accounts import attributes, links, passwords, people, strength
from idp.accounts.links import Kind
from idp.audit import Actor, Event
from idp.errors import Conflict, Invalid
from idp.signing import sealed
from idp.speech import say
from idp.store.database import again, transaction
from idp.store.durable import credentials, groups, users
from idp.store.durable.links import Link
from idp.store.durable.users import User
from idp.tenants import current

TOPIC = "registration.asked"
NAME_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Opening:
    """An account that may come into being: for which address, and whether somebody asked for it."""

    email: str
    invited: bool


def offered() -> bool:
    """Whether anybody may register with the entered tenant."""
    return current().policy.registration == "open" and mail.possible()


def ask(given: str, transaction_id: str, address: str) -> None:
    """Somebody at `address` wants an account. Raises Invalid for what is no e-mail address, TooMany.

    `transaction_id`: the sign-in that is to go on afterwards, or "".
    """
    email = people.address(given)
    links.asked(address)
    told = {"email": email, "tx": transaction_id[:64], "language": speech.asked()}
    outbox.put(TOPIC, {"sealed": sealed.write(TOPIC, told)})


def answer(payload: dict[str, Any]) -> None:
    """Carry out one message of the topic `registration.asked`."""
    told = sealed.read(TOPIC, payload["sealed"])
    if not offered():
        return
    with transaction(), speech.speaking(told.get("language")):
        if people.named(told["email"]) is not None:
            mail.send(mail.Kind.ADDRESS_TAKEN, told["email"], link=f"{current().issuer}/account")
            return
        mail.send(
            mail.Kind.REGISTRATION, told["email"],
            link=lambda: made(told["email"], current().policy.confirmation_lifetime, tx=told["tx"]),
            lasts=current().policy.confirmation_lifetime,
        )  # fmt: skip


def made(email: str, seconds: int, **carried: Any) -> str:
    """A link by which an account of this address comes into being, in the caller's transaction."""
    return links.make(Kind.JOIN, seconds, email=email, **carried)


def invite(
    given: str,
    roles: tuple[str, ...],
    named: tuple[str, ...],
    actor: Actor | None = None,
    *,
    reveal: bool = False,
) -> str | None:
    """Invite somebody, who will have these roles and be in these groups; the link where it is to be revealed.

    Raises Invalid for no address, an unknown name, or where nothing can be sent; Conflict where there is an account.
    """
    email = people.address(given)
    if current().policy.registration == "closed":
        raise Invalid("The tenant takes nobody in (policy.registration).", rule="policy.registration")
    unknown = [*({*roles} - {each.name for each in _roles()}),
               *({*named} - {each.name for each in groups.every()})]  # fmt: skip
    if unknown:
        raise Invalid(f"There is no role or group {unknown[0]}.", rule="role")
    seconds = current().policy.invitation_lifetime

    def link() -> str:
        return made(email, seconds, invited=True, roles=list(roles), groups=list(named))

    with transaction():
        if people.named(email) is not None:
            raise Conflict("There is an account with this address.", rule="email")
        if reveal:
            found = link()
        elif not mail.send(mail.Kind.INVITATION, email, link=link, lasts=seconds):
            raise Invalid("No message can be sent to this address.", rule="email")
        audit.record(Event.INVITATION_SENT, actor, roles=list(roles), groups=list(named), shown=reveal)
    return found if reveal else None


def _roles() -> tuple[groups.Role, ...]:
    """Roles of the tenant itself; those of a client or an API are given to accounts."""
    return tuple(each for each in groups.every_role() if each.client_id is None and each.api_id is None)


def look(token: str | None) -> Opening:
    """What a link opens. Raises LinkGone."""
    link, _ = links.find(Kind.JOIN, token)
    told = links.carried(link)
    return Opening(str(told["email"]), bool(told.get("invited")))


def join(token: str | None, name: str, password: str, address: str) -> str:
    """Make the account; the sign-in that goes on, or "". Raises LinkGone, Weak, Conflict, Invalid, Busy."""
    link, _ = links.find(Kind.JOIN, token)
    told = links.carried(link)
    called = " ".join(name.split())
    if not 1 <= len(called) <= NAME_LONGEST:
        raise Invalid(say("Enter your name, in at most %(most)s characters.", most=NAME_LONGEST), rule="name")
    attributes.standard({"name": called})
    strength.check(password, None, (told["email"], called))
    _made(link, told, called, passwords.hash(password), address)
    return str(told.get("tx", ""))


@again
def _made(link: Link, told: dict[str, Any], name: str, secret: str, address: str) -> User:
    with transaction():
        links.burn(link)
        people.make_room(told["email"])
        user = users.add(told["email"], email=told["email"], email_verified=True, claims={"name": name})
        credentials.put_password(user.id, secret)
        actor = Actor("user", str(user.id), address)
        audit.record(Event.USER_REGISTERED, actor, invited=bool(told.get("invited")))
        wanted = {*told.get("groups", ())}, {*told.get("roles", ())}
        for group in groups.every():
            if group.name in wanted[0] and groups.add(group.id, user.id):
                audit.record(Event.GROUP_MEMBER_ADDED, actor, group=group.name, user_id=user.id)
        for role in _roles():
            if role.name in wanted[1] and groups.give(role.id, user=user.id):
                audit.record(Event.ROLE_MEMBER_ADDED, actor, role=role.name, user_id=user.id)
    return user
