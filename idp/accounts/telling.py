"""What people are told by e-mail about their account, in the transaction of what they are told of.

Only an address that was confirmed is written to: the others may be a stranger's.
"""

from idp import mail
from idp.mail import Kind, What
from idp.store.durable.users import User
from idp.tenants import current


def address_changed(user: User) -> None:
    """Tell at the address until now, as `user` was before, that there is another one."""
    if user.email and user.email_verified:
        mail.send(Kind.ADDRESS_CHANGED, user.email, user_id=user.id, link=f"{current().issuer}/account")


def password_changed(user: User, what: What) -> None:
    """Tell that the password was changed; `what`: where."""
    if user.email and user.email_verified:
        link = f"{current().issuer}/account"
        mail.send(Kind.PASSWORD_CHANGED, user.email, user_id=user.id, link=link, what=what)


def factors_changed(user: User, what: What) -> None:
    """Tell that a second factor came or went; `what`: which."""
    if user.email and user.email_verified:
        link = f"{current().issuer}/account/security"
        mail.send(Kind.FACTORS_CHANGED, user.email, user_id=user.id, link=link, what=what)
