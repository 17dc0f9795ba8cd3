"""What begins a lost sign-in again: the authorization request, signed, in a cookie of the browser.

Redis may lose a transaction while its page is open; the next click then starts the same request over by
itself. A transaction that has come to its end takes the cookie with it, so that going back starts nothing.
"""

from idp import clock
from idp.ids import digest
from idp.tenants import current
from idp.web import signed

_PURPOSE = b"resume"
_LONGEST = 3_000


def make(transaction: str, params: dict[str, str], resources: tuple[str, ...]) -> str | None:
    """The cookie's value, or None when the request is too long for one."""
    kept = {"x": digest(transaction).hex()[:16], "t": clock.epoch(), "p": params, "r": list(resources)}
    value = signed.write(_PURPOSE, kept)
    return value if len(value) <= _LONGEST else None


def read(value: str | None, transaction: str) -> tuple[list[tuple[str, str]], bool] | None:
    """The parameters, and whether they are young enough to start over unasked; None when they are not this one's."""
    kept = signed.read(_PURPOSE, value)
    if kept is None or kept["x"] != digest(transaction).hex()[:16]:
        return None
    pairs = [*kept["p"].items(), *(("resource", each) for each in kept["r"])]
    return pairs, clock.epoch() < kept["t"] + current().policy.transaction_lifetime
