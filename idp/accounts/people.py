"""Who somebody is, and how they are called on pages that only they see."""

from uuid import UUID

from idp import audit, identifiers
from idp.audit import Event
from idp.errors import Invalid
from idp.speech import say
from idp.store.durable import users
from idp.store.durable.users import User


def of(user_id: UUID) -> User | None:
    """The person, as far as they may be spoken for; None when they are disabled or gone."""
    user = users.by_id(user_id)
    return user if user is not None and user.active else None


def shown_name(user_id: UUID) -> str:
    """The name that they know themselves by: their e-mail address or username; "" when they are gone."""
    user = users.by_id(user_id)
    return name_of(user) if user is not None else ""


def name_of(user: User) -> str:
    """The name that they know themselves by: their e-mail address or username."""
    return user.email or user.username


def named(sign_in_name: str) -> User | None:
    """Whoever signs in by this username or verified e-mail address, also when they are disabled."""
    name = sign_in_name[:256]
    try:
        username = identifiers.username(name)
    except ValueError:
        username = ""
    found = users.for_sign_in(username, identifiers.email_key(name) or "")
    return None if found is None else found[0]


def address(given: str) -> str:
    """What somebody has typed as an e-mail address. Raises Invalid for what is none."""
    try:
        return identifiers.email(given.strip())
    except ValueError as problem:
        raise Invalid(
            say("This is not an e-mail address. Check it for a typing mistake."),
            got=str(problem),
            rule="email",
        ) from None


def by_subject(subject: str) -> User | None:
    """Whose public `sub` this is, also when they are disabled."""
    try:
        return users.by_id(UUID(subject)) if len(subject) == 36 else None
    except ValueError:
        return None


def make_room(email: str, owner: UUID | None = None) -> None:
    """Take an address that was never confirmed from whoever else has it, for the one who has just confirmed it.

    In the caller's transaction. `owner`: who confirmed it, None for somebody who is to be made.
    """
    for other in users.without_proof(email):
        if other != owner:
            users.take_address(other)
            audit.record(Event.USER_UPDATED, user_id=other, changed=["email"])
