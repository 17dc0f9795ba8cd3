"""The one way in with a password: one answer and one duration for everyone who is turned away.

An attempt takes a place before it is judged, so that many at once count as many; only a wrong one is counted.
Counted are failures of the account from the address, of the account from all unknown devices, and of the
address; the tenant's budgets of sign-ins and of hashing are used up by every attempt.

Nobody can be locked out by a stranger's failures: a device that has proved itself (a cookie from an earlier
sign-in) is counted by itself alone, and an address from which the account has signed in lately is not
stopped by what comes from elsewhere, nor by a budget that others have used up.
"""

import hmac
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from idp import audit, clock, identifiers, metrics, throttle
from idp.accounts import passkeys, passwords
from idp.accounts.passkeys import PasskeyRefused, Shown
from idp.audit import Event
from idp.errors import Invalid, Refusal, TooMany
from idp.ids import b64, same, secret
from idp.logs import log
from idp.signing.ring import ring
from idp.store.database import transaction
from idp.store.durable import credentials, sessions, users
from idp.store.durable.users import User
from idp.store.ephemeral.throttle_counters import Counter
from idp.tenants import current
from idp.throttle import Reservation

KNOWN_FOR = timedelta(days=30)  # how long an address from which an account signed in is known to it
NAME_LONGEST = 512  # characters of a sign-in name that are looked at
DEVICE_FOR = 180 * 86_400  # seconds that a device cookie proves a device
_NOBODY = UUID(int=0)
_PURPOSE = b"device cookie"
_SOFT = {"throttle.account-everywhere", "throttle.budget-sign_ins", "throttle.budget-hash_seconds"}


class SignInFailed(Refusal):
    """Wrong name, wrong password, no password, disabled: nobody can tell which (OWASP ASVS 6.3.8)."""

    code = "sign_in_failed"
    status = 401
    description = "The sign-in name or the password is not right."


def with_password(
    username: str, password: str, address: str | None, agent: str | None = None, *, device: str | None = None
) -> User:
    """The active user whose username or verified e-mail address and password these are.

    `address`: of the browser; `device`: the value of its device cookie (`device_token`), if it has one.
    Raises SignInFailed; TooMany, for accounts that exist and ones that do not alike; Busy when the hash queue
    is full; Unavailable without Postgres.
    """
    began = clock.monotonic()
    name = username[:NAME_LONGEST]
    name_norm, email_norm = _prepared(name), identifiers.email_key(name) or ""
    found = users.for_sign_in(name_norm, email_norm)
    user, stored = found or (None, None)
    account = str(user.id) if user else f"?{name_norm or email_norm or name}"
    known = user is not None and proved(device, user)
    attempt = _reserved(account, user.id if user else None, address or "", known)
    try:
        right = passwords.matches(stored, password)
    except Refusal:
        attempt.give_back()
        raise
    if user is None or not right or not user.active:
        _turned_away(user, address, attempt, began)
    attempt.give_back()
    if stored is not None and passwords.outdated(stored):
        _renew(user, stored, password)
    metrics.count("sign_ins_total", outcome="succeeded")
    return user


def with_passkey(answer: str, scope: str, address: str | None) -> Shown:
    """Whose passkey has answered the challenge of this sign-in, and what that proves.

    Wrong ones are counted by address. Raises PasskeyRefused, TooMany, Unavailable.
    """
    attempt = throttle.reserve(
        [throttle.counter("address", address or ""), throttle.budget_counter("sign_ins")]
    )
    try:
        shown = passkeys.show(answer, scope)
    except PasskeyRefused:
        _turned_away_as_stranger(address, attempt)
        raise
    except Refusal:
        attempt.give_back()
        raise
    attempt.give_back()
    metrics.count("sign_ins_total", outcome="succeeded")
    return shown


def _turned_away_as_stranger(address: str | None, attempt: Reservation) -> None:
    metrics.count("sign_ins_total", outcome="failed")
    filled = attempt.failed()
    actor = audit.Actor("user", None, address)
    with transaction():
        audit.record(Event.SIGN_IN_FAILED, actor, way="passkey")
        if filled:
            audit.record(Event.SIGN_IN_BLOCKED, actor, limits=filled)


def _prepared(name: str) -> str:
    try:
        return identifiers.username(name)
    except ValueError:
        return ""


def _turned_away(user: User | None, address: str | None, attempt: Reservation, began: float) -> NoReturn:
    """Record the failure and, once, that a limit is reached: what is stopped from then on leaves no rows."""
    metrics.count("sign_ins_total", outcome="failed")
    filled = attempt.failed()
    actor = audit.Actor("user", str(user.id) if user else None, address)
    with transaction():
        audit.record(Event.SIGN_IN_FAILED, actor)
        if filled:
            audit.record(Event.SIGN_IN_BLOCKED, actor, limits=filled)
    passwords.level(began)
    raise SignInFailed(rule="authenticate.with_password", got="wrong, unknown or disabled")


def _reserved(account: str, user_id: UUID | None, address: str, known: bool) -> Reservation:
    """Count the attempt; `known`: made with a device of the account. Raises TooMany."""
    hashing = throttle.budget_counter("hash_seconds", passwords.NOMINAL_SECONDS)
    budgets = [throttle.budget_counter("sign_ins"), hashing]
    if known:
        return throttle.reserve([throttle.counter("device", account), *_unbounded(budgets)])
    own = [throttle.counter("account", account, address), throttle.counter("address", address)]
    try:
        return throttle.reserve([*own, throttle.everywhere(account), *budgets])
    except TooMany as refusal:
        since = clock.now() - KNOWN_FOR
        if refusal.rule in _SOFT and sessions.known_address(user_id or _NOBODY, address, since):
            return throttle.reserve([*own, *_unbounded(budgets)])
        metrics.count("sign_ins_total", outcome="throttled")
        raise


def counters(user_id: UUID, address: str) -> tuple[Counter, Counter, Counter]:
    """What counts failed sign-ins of a person: from one address, with a known device, from everywhere."""
    account = str(user_id)
    own, device = throttle.counter("account", account, address), throttle.counter("device", account)
    return own, device, throttle.everywhere(account)


def _unbounded(budgets: list[Counter]) -> list[Counter]:
    """Budgets that are used but stop nobody."""
    return [throttle.unlimited(each) for each in budgets]


def _renew(user: User, stored: str, password: str) -> None:
    """Replace a hash of old parameters while the password is at hand; a sign-in never fails for it."""
    try:
        if credentials.renew_password(user.id, stored, passwords.hash(password)):
            audit.record(Event.PASSWORD_REHASHED, user_id=user.id)
    except (Invalid, Refusal) as refusal:
        log(__name__).warning("rehash_left_for_later", code=refusal.code)


def device_token(user: User) -> str:
    """A value for the browser's device cookie after a sign-in: it proves the device to this account, no more.

    It is bound to tenant and user, holds for 180 days or until the password is changed (which moves the
    user's `not_before`), and is no session.
    """
    body = f"{b64(user.id.bytes)}.{clock.epoch()}.{secret(128)}"
    return f"{body}.{b64(_mac(ring().derive(_PURPOSE), body, user))}"


def proved(device: str | None, user: User) -> bool:
    """Whether a device cookie is one that this account was given."""
    body, _, mac = (device or "").rpartition(".")
    parts = body.split(".")
    if len(parts) != 3 or len(body) > 128 or not body.isascii() or not mac.isascii():
        return False
    fresh = parts[1].isdigit() and 0 <= clock.epoch() - int(parts[1]) < DEVICE_FOR
    if parts[0] != b64(user.id.bytes) or not fresh:
        return False
    return any(same(mac, b64(_mac(key, body, user))) for _, key in ring().derive_all(_PURPOSE))


def _mac(key: bytes, body: str, user: User) -> bytes:
    since = user.not_before.isoformat() if user.not_before else ""
    return hmac.digest(key, current().id.bytes + f"|{body}|{since}".encode(), "sha256")
