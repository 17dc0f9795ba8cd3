"""Codes of an authenticator app (RFC 6238): six digits that change each half minute, each good for one sign-in.

The secret has 160 bits (RFC 4226 §4), is kept sealed under the person's own key, and leaves the house once, on the
page on which it is set up. A code counts one step early and one late (RFC 6238 §5.2); the last step whose code was
used is kept in Postgres, so that no code, and none from before it, is ever good again.
"""

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode
from uuid import UUID

from idp import clock
from idp.ids import same, uuid7
from idp.logs import log
from idp.signing import persons
from idp.signing.envelope import Unsealable
from idp.store.durable import authenticators
from idp.store.durable.authenticators import Authenticator
from idp.store.durable.users import User
from idp.tenants import current

DIGITS, STEP, DRIFT = 6, 30, 1
BITS = 160
SET_UP_WITHIN = 900
"""Seconds within which what was begun must be confirmed by a first code."""
_KEPT, _BEGUN = b"idp authenticator", b"idp authenticator begun"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An authenticator that is being set up: what the app is told, and what the page carries until a code proves it.

    `ticket` is the secret, sealed for this person for some minutes; nothing is kept before the first code.
    """

    secret: str = field(repr=False)
    """In base32, as people type it."""
    address: str = field(repr=False)
    """The `otpauth:` address that a QR code carries."""
    ticket: str = field(repr=False)


def code_at(secret: bytes, step: int) -> str:
    """The code of a time step (RFC 4226 §5.3, RFC 6238 §4.2; HMAC-SHA-1, which is all that every app speaks)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    at = mac[-1] & 0x0F
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def present_step() -> int:
    """The time step of now."""
    return clock.epoch() // STEP


def begin(user: User) -> Enrolment:
    """A new secret for this person. Raises LookupError when the person is gone."""
    secret, row = os.urandom(BITS // 8), uuid7()
    values = {"secret": _base32(secret), "until": clock.epoch() + SET_UP_WITHIN}
    sealed = persons.seal(user.id, values, row, _BEGUN)
    if sealed is None:
        raise LookupError("there is no such person any more")
    return _enrolment(user, secret, f"{row}.{sealed}")


def resume(user: User, ticket: str) -> Enrolment | None:
    """What was begun, again; None when it is too old or was never begun by this person."""
    found = _opened(user, ticket)
    return None if found is None else _enrolment(user, found[1], ticket)


def confirm(user: User, ticket: str, code: str) -> bool:
    """Keep what was begun once the app shows its code; it takes the place of a former one.

    Whether the person may have another factor is the caller's to judge.
    """
    found = _opened(user, ticket)
    step = _step(found[1], code) if found else None
    if found is None or step is None:
        return False
    row, secret = found
    sealed = persons.seal(user.id, {"secret": _base32(secret)}, row, _KEPT)
    if sealed is None:
        return False
    at = clock.now()
    authenticators.put(Authenticator(row, user.id, sealed, step, at, at))
    return True


def verify(user_id: UUID, code: str) -> bool:
    """Whether this is a code of the person's app that was not used before; from then on it was."""
    kept = authenticators.of_user(user_id)
    if kept is None:
        return False
    try:
        opened = persons.open_(user_id, kept.sealed, kept.id, _KEPT)
    except Unsealable as moved:
        log(__name__).error("authenticator_does_not_open", reason=str(moved))
        return False
    step = _step(_bytes(opened["secret"]), code) if opened else None
    return step is not None and authenticators.use(kept.id, step)


def _step(secret: bytes, code: str) -> int | None:
    """The step whose code this is, of the present one and its neighbours; every one is compared."""
    given = "".join(code.split())
    if len(given) != DIGITS or not (given.isascii() and given.isdigit()):
        return None
    here = present_step()
    fits = [step for step in range(here - DRIFT, here + DRIFT + 1) if same(code_at(secret, step), given)]
    return fits[-1] if fits else None


def _opened(user: User, ticket: str) -> tuple[UUID, bytes] | None:
    name, _, sealed = ticket.partition(".")
    try:
        row = UUID(name)
        values = persons.open_(user.id, sealed, row, _BEGUN)
    except (ValueError, Unsealable):
        return None
    if values is None or clock.epoch() >= values["until"]:
        return None
    return row, _bytes(values["secret"])


def _enrolment(user: User, secret: bytes, ticket: str) -> Enrolment:
    text = _base32(secret)
    label = f"{quote(current().name, safe='')}:{quote(user.email or user.username, safe='')}"
    query = urlencode(
        {"secret": text, "issuer": current().name, "algorithm": "SHA1", "digits": DIGITS, "period": STEP},
        quote_via=quote,
    )
    return Enrolment(text, f"otpauth://totp/{label}?{query}", ticket)


def _base32(secret: bytes) -> str:
    return base64.b32encode(secret).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise ValueError("not base32") from error
