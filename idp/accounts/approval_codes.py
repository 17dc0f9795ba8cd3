"""The approval code: what an application has to know before it may ask a person over the back channel (CIBA §7.1).

A person may set one at their account. From then on nobody who does not know it can send them a request; whether they
allow one is theirs to say all the same. It signs nobody in. Kept as an Argon2id hash, tried within a budget.
"""

from dataclasses import replace
from uuid import UUID

from idp import audit, throttle
from idp.accounts import passwords
from idp.audit import Actor, Event
from idp.errors import Invalid
from idp.registration import CIBA
from idp.speech import say
from idp.store.database import again, transaction
from idp.store.durable import clients, credentials
from idp.store.durable.users import User
from idp.store.ephemeral.throttle_counters import Counter
from idp.tenants import current

SHORTEST, LONGEST = 6, 64
_DAY = 86_400


def offered(user_id: UUID) -> bool:
    """Whether there is anything to set a code against: an application that may ask, or a code that was set before."""
    return clients.anyone_may(CIBA) or has(user_id)


def has(user_id: UUID) -> bool:
    """Whether the person has set one."""
    return credentials.user_code_of(user_id) is not None


def keep(user: User, code: str, address: str) -> None:
    """Set the person's code, in place of a former one. Raises Invalid, Busy."""
    if not SHORTEST <= len(code) <= LONGEST or not code.isprintable() or len(set(code)) < 2:
        raise Invalid(
            say(
                "Choose %(least)s to %(most)s characters that are not all the same.", least=SHORTEST, most=LONGEST
            ),
            rule="approval_code.length", got=len(code),
        )  # fmt: skip
    _kept(user, passwords.hash(code), address)


@again
def _kept(user: User, secret: str, address: str) -> None:
    with transaction():
        credentials.put_user_code(user.id, secret)
        audit.record(Event.APPROVAL_CODE_SET, Actor("user", str(user.id), address))


@again
def remove(user: User, address: str) -> bool:
    """Take the person's code away; False when there was none."""
    with transaction():
        if not credentials.remove_user_code(user.id):
            return False
        audit.record(Event.APPROVAL_CODE_REMOVED, Actor("user", str(user.id), address))
    return True


def right(user: User, code: str, client_id: str) -> bool:
    """Whether `code`, from a client, is the person's. Raises TooMany, Busy.

    Counted before it is judged; what was right is given back.
    """
    attempt = throttle.reserve([*counters(user.id, client_id), _hashing()])
    try:
        fits = passwords.matches(credentials.user_code_of(user.id), code)
    except BaseException:
        attempt.give_back()
        raise
    if fits:
        attempt.give_back()
        return True
    attempt.failed()
    audit.record(Event.APPROVAL_CODE_FAILED, Actor("client", client_id), user_id=user.id)
    return False


def counters(user_id: UUID, client_id: str) -> tuple[Counter, Counter]:
    """What counts wrong codes for a person: from one client, and of a day from all of them together."""
    account = str(user_id)
    own = throttle.counter("user_code", "approval code", account, client_id)
    daily = replace(
        throttle.counter("user_code", "approval code", account),
        kind="user_code-everywhere", most=current().policy.second_factor_failures_daily, window=_DAY,
    )  # fmt: skip
    return own, daily


def _hashing() -> Counter:
    return throttle.budget_counter("hash_seconds", passwords.NOMINAL_SECONDS)
