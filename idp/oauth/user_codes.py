"""Codes that a person carries by hand from a device to a browser (RFC 8628 §6.1).

Nine of twenty letters, none of which reads like another or makes a word: 5.1e11 codes. Everybody together may fail a
hundred times in the life of one code, so that somebody who guesses meets a given code with a chance below 2^-32
(RFC 8628 §5.1). A code that cannot be looked up or counted is refused with 503.
"""

import re
import secrets

from idp import throttle
from idp.errors import Refusal
from idp.oauth import elsewhere as room
from idp.store.ephemeral import elsewhere

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH, GROUP = 9, 3
_NOT_OURS = re.compile(f"[^{ALPHABET}]")
_LONGEST = 64


class UnknownUserCode(Refusal):
    """No request waits under this code: never was, too old, or answered. One sentence for all of them."""

    code = "unknown_user_code"
    description = "No device waits for this code."


def shown(user_code: str) -> str:
    """A code as people read it: WDJ-BMJ-HTX."""
    return "-".join(user_code[at : at + GROUP] for at in range(0, len(user_code), GROUP))


def plain(typed: str) -> str:
    """What somebody typed as a code has it: upper case, without blanks and dashes; "" when it cannot be one."""
    made = _NOT_OURS.sub("", typed[:_LONGEST].upper())
    return made if len(made) == LENGTH else ""


def new(name: str, lifetime: int) -> str:
    """A new code that stands for the request `name`. Raises Away."""
    while True:
        made = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        if elsewhere.name_user_code(made, name, lifetime):
            return made


def found(typed: str, address: str) -> str:
    """The name of the request that waits under a code. Raises UnknownUserCode, TooMany, Away."""
    attempt = throttle.reserve(throttle.user_codes(address))
    try:
        name = _waiting(plain(typed))
    except UnknownUserCode:
        attempt.failed()
        raise
    except BaseException:
        attempt.give_back()
        raise
    attempt.give_back()
    return name


def _waiting(user_code: str) -> str:
    name = elsewhere.by_user_code(user_code) if user_code else None
    if name is None:
        raise UnknownUserCode(
            rule="user_code.known", got="none of ours" if not user_code else "an unknown one"
        )
    try:
        room.asked(name)
    except room.Gone as gone:
        raise UnknownUserCode(rule="user_code.open", got=str(gone.got)) from None
    return name
