"""Codes on paper that stand in for a second factor, each once; and a temporary one that the help desk gives.

A code has 80 bits, so that its digest says nothing and nobody guesses one. Making new ones ends the old ones.
"""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from idp import audit, clock
from idp.audit import Event
from idp.ids import digest
from idp.store.database import transaction
from idp.store.durable import recovery_codes, users
from idp.store.durable.recovery_codes import RECOVERY, TEMPORARY

MANY = 10
TEMPORARY_FOR = timedelta(hours=1)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: none that is read as another
_LENGTH, _GROUP = 16, 4
_READ_AS = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


def make(user_id: UUID) -> tuple[str, ...]:
    """New recovery codes for a person, told this once; the old ones are no more."""
    codes = tuple(_fresh() for _ in range(MANY))
    with transaction():
        users.held(user_id)  # two who make them at once: the last ones count, and no others
        recovery_codes.replace(user_id, RECOVERY, [_digest(user_id, code) for code in codes])
        audit.record(Event.RECOVERY_CODES_MADE, user_id=user_id, count=len(codes))
    return codes


def make_temporary(user_id: UUID) -> str:
    """One code for an hour, in place of a former one; recording it is the caller's."""
    code = _fresh()
    with transaction():
        users.held(user_id)
        recovery_codes.replace(
            user_id, TEMPORARY, [_digest(user_id, code)], expires_at=clock.now() + TEMPORARY_FOR
        )
    return code


def use(user_id: UUID, code: str) -> bool:
    """Whether this is a code of the person that was not used before; from then on it was."""
    with transaction():
        kind = recovery_codes.use(user_id, _digest(user_id, code))
        if kind is not None:
            left = recovery_codes.left(user_id).get(RECOVERY, 0)
            event = Event.TEMPORARY_CODE_USED if kind == TEMPORARY else Event.RECOVERY_CODE_USED
            audit.record(event, audit.Actor("user", str(user_id)), left=left)
    return kind is not None


def spoken(code: str) -> str:
    """A code as it is shown: in groups, so that it can be read aloud and typed."""
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def as_text(heading: Sequence[str], codes: Sequence[str]) -> str:
    """The file that a person keeps, below the lines that say what it is."""
    return "\n".join((*heading, "", *map(spoken, codes), ""))


def _fresh() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def _digest(user_id: UUID, code: str) -> bytes:
    read = code[:64].strip().lower().translate(_READ_AS)
    return digest(b"idp recovery code\x00" + user_id.bytes + read.encode("utf-8", "surrogatepass"))
