"""What begins a lost sign-in again: the authorization request, signed, in a cookie of the browser.

Redis may lose a transaction while its page is open; the next click then starts the same request over by
itself. A transaction that has come to its end takes the cookie with it, so that going back starts nothing.
"""

import hmac
import json

from idp import clock
from idp.ids import b64, digest, same, unb64
from idp.signing.ring import ring
from idp.tenants import current

_INFO = b"resume"
_LONGEST = 3_000


def make(transaction: str, params: dict[str, str], resources: tuple[str, ...]) -> str | None:
    """The cookie's value, or None when the request is too long for one."""
    kept = {"x": digest(transaction).hex()[:16], "t": clock.epoch(), "p": params, "r": list(resources)}
    body = b64(json.dumps(kept, separators=(",", ":")).encode())
    value = f"{body}.{_mac(ring().derive(_INFO), body)}"
    return value if len(value) <= _LONGEST else None


def read(value: str | None, transaction: str) -> tuple[list[tuple[str, str]], bool] | None:
    """The parameters, and whether they are young enough to start over unasked; None when they are not this one's."""
    body, _, mac = (value or "").rpartition(".")
    if not body or not any(same(mac, _mac(key, body)) for _, key in ring().derive_all(_INFO)):
        return None
    kept = json.loads(unb64(body))
    if kept["x"] != digest(transaction).hex()[:16]:
        return None
    pairs = [*kept["p"].items(), *(("resource", each) for each in kept["r"])]
    return pairs, clock.epoch() < kept["t"] + current().policy.transaction_lifetime


def _mac(key: bytes, body: str) -> str:
    return b64(hmac.digest(key, f"{current().id}|{body}".encode(), "sha256"))
