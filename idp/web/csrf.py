"""CSRF tokens: an HMAC over tenant, browser and step, so that a page's form can only come from that page.

The browser is known by its binding cookie, set before any sign-in; a token of another browser, tenant,
transaction or step fits nowhere (login CSRF included).
"""

import hmac

from idp.ids import b64, same
from idp.signing.ring import ring
from idp.tenants import current

_INFO = b"csrf"


def _made(key: bytes, binding: str, step: str) -> str:
    return b64(hmac.digest(key, f"{current().id}|{binding}|{step}".encode(), "sha256"))


def token(binding: str, step: str) -> str:
    """The token of one step for one browser."""
    return _made(ring().derive(_INFO), binding, step)


def good(given: str | None, binding: str, step: str) -> bool:
    """Whether `given` is that token, under any key of the ring."""
    if not given or not binding:
        return False
    return any(same(given, _made(key, binding, step)) for _, key in ring().derive_all(_INFO))
