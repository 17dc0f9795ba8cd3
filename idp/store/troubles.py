"""What Postgres says, in our words: what is told to whoever asked, and what was a mistake of ours."""

from typing import cast

import sqlalchemy as sa

from idp import metrics
from idp.errors import Busy

_AWAY_CLASSES = ("08", "53", "57", "58")
_READ_ONLY = "25006"
_AWAY_CODES = {_READ_ONLY, "55P03", "25P03"}
_GIVEN_UP_CODES = {"40001", "40P01"}
_CONTEXT_CODES = {"IDP01": "expired", "IDP02": "forged"}


class Unavailable(Busy):
    """Postgres is away, slow or full; nothing was changed."""

    description = "The database is not answering. Try again shortly."


class GivenUp(Unavailable):
    """Postgres gave this transaction up for another one's sake (deadlock, serialization); it may be run again."""


def named(error: sa.exc.DBAPIError, *, readonly: bool) -> Exception:
    """What a failed statement of a transaction is to its caller."""
    # A write where only reading was promised is a mistake of ours; anywhere else it is a standby that answers.
    if readonly and getattr(error.orig, "pgcode", None) == _READ_ONLY:
        return error
    return translated(error)


def translated(error: sa.exc.DBAPIError) -> Exception:
    """What an error of the driver is to its caller: ours where it is about reaching Postgres, else itself."""
    code = cast(str | None, getattr(error.orig, "pgcode", None))
    if code in _CONTEXT_CODES:
        metrics.count("context_errors_total", reason=_CONTEXT_CODES[code])
        return Unavailable(rule=f"tenant_context.{_CONTEXT_CODES[code]}")
    if code in _GIVEN_UP_CODES:
        metrics.count("database_errors_total", reason=code)
        return GivenUp(rule="database.given_up", got=code)
    lost = error.connection_invalidated or (code is None and isinstance(error, sa.exc.OperationalError))
    if lost or code in _AWAY_CODES or (code or "")[:2] in _AWAY_CLASSES:
        metrics.count("database_errors_total", reason=code or "lost")
        return Unavailable(rule="database.away", got=code)
    return error
