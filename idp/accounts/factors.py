"""Second factors: which a person has, whether one is asked for, and the one way in which each is judged.

Attempts are counted before they are judged, for the person from the address and for the person from everywhere; where
nothing can count them none is judged (503). What cannot be guessed, a recovery code or a passkey, is counted by address
alone, so that a stranger who knows the password and fills the other counters locks nobody out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from idp import audit, metrics, throttle
from idp.accounts import assurance, mailed, passkeys, recovery_codes, totp
from idp.audit import Event
from idp.errors import Conflict, Refusal
from idp.speech import say
from idp.store.database import transaction
from idp.store.durable import authenticators, groups, remembered_devices, users
from idp.store.durable import passkeys as passkey_rows
from idp.store.durable import recovery_codes as code_rows
from idp.store.durable.users import User
from idp.store.ephemeral.throttle_counters import Counter
from idp.tenants import current
from idp.throttle import Reservation

PASSKEY, TOTP, EMAIL, RECOVERY = "passkey", "totp", "email", "recovery"
DAY = 86_400


class WrongCode(Refusal):
    """The code is wrong, was used, or is too old: one answer for all of them."""

    code = "wrong_code"
    status = 401
    description = "The code is not right, or was used already."


@dataclass(frozen=True, slots=True)
class Holding:
    """What a person has beside the first factor."""

    authenticator: bool = False
    passkeys: int = 0
    """Those that work at this issuer."""
    codes: int = 0
    """Recovery codes that are left."""
    temporary: bool = False
    """Whether the help desk has given a temporary code that is still good."""

    mail: bool = False
    """Whether a code by e-mail is one here (`with_mail`)."""

    @property
    def any(self) -> bool:
        """Whether there is something to ask for. Recovery codes alone stand in for nothing."""
        return self.kept or self.mail

    @property
    def kept(self) -> bool:
        """Whether there is something that is asked for where nobody insists: a mailbox alone is not."""
        return self.own or self.temporary

    @property
    def own(self) -> bool:
        """Whether one of them is the person's own and lasts."""
        return self.authenticator or self.passkeys > 0

    @property
    def ways(self) -> tuple[str, ...]:
        """In which ways the person can give a second factor, the best first."""
        there = {
            PASSKEY: self.passkeys > 0,
            TOTP: self.authenticator,
            EMAIL: self.mail,
            RECOVERY: self.temporary or self.codes > 0,
        }
        return tuple(name for name, has in there.items() if has)


NOTHING = Holding()


def held_by(user_id: UUID) -> Holding:
    """What this person has. Raises Unavailable without Postgres."""
    with transaction(readonly=True):
        left = code_rows.left(user_id)
        authenticator = authenticators.of_user(user_id) is not None
        here = [each for each in passkeys.of_user(user_id) if each.rp_id == passkeys.rp_id()]
    working = len(here) if passkeys.available() else 0
    return Holding(
        authenticator, working, left.get(code_rows.RECOVERY, 0), bool(left.get(code_rows.TEMPORARY))
    )


def with_mail(holding: Holding, user: User | None, given: Sequence[str]) -> Holding:
    """The same, and a code by e-mail where the policy takes it; `given`: what the first factor was.

    A mailbox is never both factors, and stands beside a better one only where the policy says so.
    """
    if user is None or assurance.by_mail(given) or not mailed.second_offered(user):
        return holding
    last = current().policy.email_second_factor == "always" or not holding.own
    return replace(holding, mail=last)


def demanded(user_id: UUID) -> bool:
    """Whether the tenant's policy wants this person to have a second factor."""
    policy = current().policy
    if policy.second_factor != "offered":
        return policy.second_factor == "required"
    if not policy.second_factor_roles:
        return False
    return bool(
        {role.name for role in groups.roles_of_user(user_id)}.intersection(policy.second_factor_roles)
    )


def attempt(user: User, way: str, address: str) -> Reservation:
    """A place for one attempt, before it is judged. Raises TooMany; Unavailable when nothing can count."""
    by_address = throttle.counter("address", address)
    if way in (RECOVERY, PASSKEY):
        return throttle.reserve([by_address])
    return throttle.reserve([*counters(user.id, address), by_address])


def counters(user_id: UUID, address: str) -> tuple[Counter, Counter]:
    """What counts wrong second factors of a person: from one address, and of a day."""
    account = str(user_id)
    daily = replace(
        throttle.counter("second_factor", account),
        kind="second_factor-everywhere", most=current().policy.second_factor_failures_daily, window=DAY,
    )  # fmt: skip
    return throttle.counter("second_factor", account, address), daily


def _typed(verify: Callable[[UUID, str], bool]) -> Callable[[User, str, str], tuple[str, ...]]:
    """A code that is typed: which it is, is nothing that `amr` has words for."""
    return lambda user, answer, _: (assurance.ONE_TIME_CODE,) if verify(user.id, answer) else ()


_WAYS: dict[str, Callable[[User, str, str], tuple[str, ...]]] = {
    PASSKEY: lambda user, answer, scope: passkeys.show(answer, scope, user).amr,
    TOTP: _typed(totp.verify),
    RECOVERY: _typed(recovery_codes.use),
}
"""Each way of giving a second factor: what judges it and uses it up; what then happened, or nothing (RFC 8176 §2)."""


def judge(user: User, way: str, answer: str, scope: str) -> tuple[str, ...]:
    """What happened, once `answer` was right and is used up. Raises WrongCode, PasskeyRefused.

    `scope`: the sign-in on whose page a passkey was asked.
    """
    amr = _WAYS[way](user, answer, scope) if way in _WAYS else ()
    if not amr:
        raise WrongCode(rule=f"factors.{way}" if way in _WAYS else "factors.way")
    metrics.count("second_factors_total", way=way, outcome="right")
    return amr


def turned_away(user: User, way: str, address: str, held: Reservation) -> None:
    """Count and record a wrong answer; that a limit is reached is recorded once."""
    filled = held.failed()
    metrics.count("second_factors_total", way=_named(way), outcome="wrong")
    actor = audit.Actor("user", str(user.id), address)
    with transaction():
        audit.record(Event.SECOND_FACTOR_FAILED, actor, way=_named(way))
        if filled:
            audit.record(Event.SIGN_IN_BLOCKED, actor, limits=filled)


def _named(way: str) -> str:
    return way if way in (*_WAYS, EMAIL) else "unknown"


def enrol_totp(user: User, ticket: str, code: str, *, replacing: bool) -> tuple[str, ...]:
    """Keep the authenticator that was begun, and make recovery codes where the person has none: the new ones.

    `replacing`: whether the person has shown a factor that they have; else they must have none. Raises WrongCode,
    Conflict.
    """
    with transaction():
        _may_enrol(user, replacing)
        if not totp.confirm(user, ticket, code):
            raise WrongCode(rule="factors.enrol_totp")
        audit.record(Event.AUTHENTICATOR_ADDED, audit.Actor("user", str(user.id)))
        return _enrolled(user)


def enrol_passkey(user: User, answer: str, scope: str, name: str, *, replacing: bool) -> tuple[str, ...]:
    """Keep a passkey that a browser has made, as `enrol_totp` does. Raises PasskeyRefused, Conflict."""
    with transaction():
        _may_enrol(user, replacing)
        passkeys.register(user, answer, scope, name)
        return _enrolled(user)


def _may_enrol(user: User, replacing: bool) -> None:
    if users.held(user.id) is None or (not replacing and held_by(user.id).own):
        raise Conflict(say("There is another factor already."), rule="factors.existing")


def _enrolled(user: User) -> tuple[str, ...]:
    remembered_devices.forget(user.id)
    return () if held_by(user.id).codes else recovery_codes.make(user.id)


def remove_all(user_id: UUID) -> dict[str, int]:
    """Take away every second factor, recovery code and trusted device; how many of each there were."""
    with transaction():
        return {
            "authenticators": int(authenticators.remove(user_id)),
            "passkeys": passkey_rows.remove(user_id),
            "recovery_codes": code_rows.remove(user_id),
            "devices": remembered_devices.forget(user_id),
        }
