"""Operators' verb for people who have no account yet."""

from idp.accounts import joining
from idp.audit import Actor


def send(
    email: str,
    roles: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    actor: Actor | None = None,
    *,
    reveal: bool = False,
) -> str | None:
    """Invite somebody to the entered tenant; the link where it is to be revealed instead of sent.

    Raises Invalid, Conflict as `joining.invite` does.
    """
    return joining.invite(email, roles, groups, actor, reveal=reveal)
