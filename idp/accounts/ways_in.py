"""In which ways a person can begin a sign-in by themselves, so that nobody takes away their last one."""

from dataclasses import dataclass, replace
from uuid import UUID

from idp.accounts import mailed, passkeys
from idp.errors import Conflict
from idp.speech import say
from idp.store.database import transaction
from idp.store.durable import credentials, identities, upstreams
from idp.store.durable import passkeys as passkey_rows
from idp.store.durable.users import User


class LastWayIn(Conflict):
    """Without this the person could not sign in any more."""

    code = "last_way_in"
    description = say("This is your only way to sign in. Set a password or add another way first.")


@dataclass(frozen=True, slots=True)
class WaysIn:
    """What opens an account now: its password, and by their rows the passkeys and identities that work here."""

    password: bool
    passkeys: frozenset[UUID]
    identities: frozenset[UUID]
    mail: bool
    """Whether a code by e-mail does."""

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self.password or bool(self.beside)

    @property
    def beside(self) -> tuple[str, ...]:
        """What there is beside a password, in words."""
        there = {
            "a passkey": self.passkeys, "an account elsewhere": self.identities, "a code by e-mail": self.mail,
        }  # fmt: skip
        return tuple(name for name, has in there.items() if has)


def of(user: User) -> WaysIn:
    """The ways of this person. Raises Unavailable without Postgres."""
    with transaction(readonly=True):
        working = {each.id for each in upstreams.every() if each.active}
        keys = passkey_rows.of_user(user.id) if passkeys.available() else ()
        return WaysIn(
            credentials.password_of(user.id) is not None,
            frozenset(each.id for each in keys if each.rp_id == passkeys.rp_id()),
            frozenset(each.id for each in identities.of_user(user.id) if each.upstream_id in working),
            mailed.offered() and mailed.reaches(user),
        )


def spare(user: User, gone: UUID) -> None:
    """Raise LastWayIn where nothing is left once that passkey or identity is gone.

    The caller holds the person's row, so that of two that are taken away at once one sees what the other has left.
    """
    ways = of(user)
    left = replace(ways, passkeys=ways.passkeys - {gone}, identities=ways.identities - {gone})
    if ways.any and not left.any:
        raise LastWayIn(rule="ways_in.last", expected="another way", got="none")
