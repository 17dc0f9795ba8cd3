"""Who somebody is, and how they are called on pages that only they see."""

from uuid import UUID

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
