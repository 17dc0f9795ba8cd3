"""CSRF tokens: an HMAC over tenant, browser and step, so that a page's form can only come from that page.

The browser is known by its binding cookie, set before any sign-in; a token of another browser, tenant,
transaction or step fits nowhere (login CSRF included).
"""

import hmac

from idp.ids import b64, same, secret
from idp.signing.ring import ring
from idp.tenants import current

_INFO = b"csrf"


def _made(key: bytes, binding: str, step: str, salt: str) -> str:
    return b64(hmac.digest(key, f"{current().id}|{binding}|{step}|{salt}".encode(), "sha256"))


def token(binding: str, step: str) -> str:
    """A token of one step for one browser; another one each time, so that no two pages have the same bytes."""
    salt = secret(128)
    return f"{salt}.{_made(ring().derive(_INFO), binding, step, salt)}"


def good(given: str | None, binding: str, step: str) -> bool:
    """Whether `given` is such a token, under any key of the ring."""
    salt, _, mac = (given or "").partition(".")
    if not mac or not binding:
        return False
    return any(same(mac, _made(key, binding, step, salt)) for _, key in ring().derive_all(_INFO))
