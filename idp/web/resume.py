"""What begins a lost sign-in again: the authorization request, signed, in a cookie of the browser.

Redis may lose a transaction while its page is open; the next click then starts the same request over by
itself. A transaction that has come to its end takes the cookie with it, so that going back starts nothing.
"""

from urllib.parse import urlencode

from idp import clock
from idp.ids import digest
from idp.tenants import current
from idp.web import signed

_PURPOSE = b"resume"
_LONGEST = 3_000


def make(transaction: str, params: dict[str, str], resources: tuple[str, ...], own: str = "") -> str | None:
    """The cookie's value, or None when the request is too long for one. `own`: the page of ours that it leads to."""
    kept = {
        "x": digest(transaction).hex()[:16],
        "t": clock.epoch(),
        "p": params,
        "r": list(resources),
        "o": own,
    }
    value = signed.write(_PURPOSE, kept)
    return value if len(value) <= _LONGEST else None


def read(value: str | None, transaction: str) -> tuple[str, bool] | None:
    """Where it begins again, and whether it is young enough to do so unasked; None when it is not this one's."""
    kept = signed.read(_PURPOSE, value)
    if kept is None or kept["x"] != digest(transaction).hex()[:16]:
        return None
    pairs = [*kept["p"].items(), *(("resource", each) for each in kept["r"])]
    again = kept.get("o") or f"authorize?{urlencode(pairs)}"
    return f"{current().issuer}/{again}", clock.epoch() < kept["t"] + current().policy.transaction_lifetime
