"""The help desk's verbs for second factors: take all of them away, or give one code for an hour.

Neither tells anybody a password or chooses one. What was signed in ends with a reset, because whoever holds the lost
phone may be signed in too.
"""

from datetime import datetime

from idp import audit, clock
from idp.accounts import factors, recovery_codes, sessions, telling
from idp.audit import Actor, Event
from idp.control import users
from idp.errors import Invalid
from idp.mail import What
from idp.store.database import transaction
from idp.store.durable import grants
from idp.store.durable import users as rows


def reset(username: str, actor: Actor) -> dict[str, int]:
    """Take every second factor, recovery code and trusted device from a person; how many of each there were.

    Their sessions and grants end. Raises NotFound.
    """
    with transaction():
        user = users.show(username)
        gone = factors.remove_all(user.id)
        rows.change(user.id, not_before=clock.now())
        sessions.end_all(user, "factors_reset")
        grants.revoke_of_user(user.id, "factors_reset")
        telling.factors_changed(user, What.FACTORS_RESET)
        audit.record(Event.FACTORS_RESET, actor, user_id=user.id, **gone)
    return gone


def temporary_code(username: str, actor: Actor) -> tuple[str, datetime]:
    """A code that stands in for a second factor once within the hour, and when it ends; a former one is no more.

    Raises NotFound; Invalid without a reason.
    """
    if not actor.reason:
        raise Invalid("Say why, with --reason.", rule="reason")
    with transaction():
        user = users.show(username)
        code = recovery_codes.make_temporary(user.id)
        telling.factors_changed(user, What.TEMPORARY_CODE)
        audit.record(Event.TEMPORARY_CODE_MADE, actor, user_id=user.id)
    return recovery_codes.spoken(code), clock.now() + recovery_codes.TEMPORARY_FOR
