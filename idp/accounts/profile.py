"""What people change of their own profile: the claims that their tenant leaves to them (policy `profile_fields`)."""

from collections.abc import Mapping

from idp import audit
from idp.accounts import attributes
from idp.audit import Actor, Event
from idp.errors import Conflict
from idp.store.database import again, transaction
from idp.store.durable import users
from idp.store.durable.users import User
from idp.tenants import current


def fields() -> tuple[str, ...]:
    """The claims that people of the entered tenant change themselves, in the order in which they are asked for."""
    return tuple(dict.fromkeys(current().policy.profile_fields))


def change(user: User, given: Mapping[str, str], address: str) -> tuple[str, ...]:
    """Write all of those claims, one that is not given or empty as none; which of them are others now.

    Raises Invalid naming the claim, Conflict when the account is gone.
    """
    typed = {name: " ".join(given.get(name, "").split()) for name in fields()}
    return _changed(user, attributes.standard({name: text or None for name, text in typed.items()}), address)


@again
def _changed(user: User, claims: Mapping[str, object], address: str) -> tuple[str, ...]:
    with transaction(), audit.acting(Actor("user", str(user.id), address)):
        there = users.held(user.id)
        if there is None:
            raise Conflict("This account is gone.", rule="account.user")
        others = tuple(name for name, value in claims.items() if value != there.claims.get(name))
        if not others:
            return ()
        whole = {**there.claims, **claims}
        if "phone_number" in others:
            whole.pop("phone_number_verified", None)  # a proof is of one number
        users.change(user.id, claims={name: value for name, value in whole.items() if value is not None})
        audit.record(Event.PROFILE_CHANGED, user_id=user.id, changed=list(others))
    return others
