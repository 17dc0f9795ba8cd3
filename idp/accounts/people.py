"""How a person is called on pages that only they see."""

from uuid import UUID

from idp.store.durable import users


def shown_name(user_id: UUID) -> str:
    """The name that they know themselves by: their e-mail address or username; "" when they are gone."""
    user = users.by_id(user_id)
    if user is None:
        return ""
    return user.email or user.username
