"""Why a request was refused: kept under its id for seven days, for whoever operates the provider.

Owns what is kept and its redaction. The rows go through :mod:`idp.journal`, so that a refusal costs the
request nothing and a flood of them costs no more than the queue holds.
"""

import datetime as dt
import re

from idp import clock, ids, journal
from idp.errors import Refusal
from idp.store.durable import refusals
from idp.store.durable.refusals import Refused
from idp.store.ephemeral import outside

KEPT = dt.timedelta(days=7)
LONGEST = 300
"""Characters of a value that are kept."""

# A value without spaces, as long as 128 bits in base64url, may be a credential: its length tells enough.
_MAYBE_SECRET = re.compile(r"(?<![\w./:-])[A-Za-z0-9_+/=.~$-]{22,}(?![\w./:-])")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


def refused(request_id: str, refusal: Refusal, path: str) -> None:
    """Keep the private half of a refusal; `path` is the route's pattern. Never raises.

    One of the entered tenant is its row; where none is entered it goes among the strangers'.
    """
    journal.refused(
        Refused(
            id=ids.uuid7(),
            request_id=request_id,
            at=clock.now(),
            code=refusal.code,
            rule=refusal.rule,
            expected=redacted(refusal.expected),
            got=redacted(refusal.got),
            setting=refusal.setting,
            path=path[:LONGEST],
        )
    )


def look_up(request_id: str) -> tuple[Refused, ...]:
    """What the entered tenant refused under this id within seven days, in order. Raises Busy."""
    return refusals.find(request_id, clock.now() - KEPT)


def look_up_outside(request_id: str) -> tuple[Refused, ...]:
    """What was refused under this id outside every tenant: of the newest alone. Raises Busy."""
    return outside.find(request_id, clock.now() - KEPT)


def redacted(value: object) -> str | None:
    """`value` as text without what may be a credential or an address of a person."""
    if value is None:
        return None
    text = str(value).encode("utf-8", "replace").decode().replace("\x00", "?")
    text = _MAYBE_SECRET.sub(_hidden, _ADDRESS.sub("[address]", text))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _hidden(found: re.Match[str]) -> str:
    word = found.group()
    return word if _UUID.fullmatch(word) else f"[{len(word)} characters]"
