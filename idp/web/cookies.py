"""Cookies: which there are, how they are named, and with which attributes they are set.

On https they are `__Host-…; Secure`; on http, which is loopback only, neither can be. The name carries the
tenant's slug, so that tenants under one origin never share one; the value is checked against the tenant
again wherever it is read.
"""

from typing import Any

from flask import Response, request

from idp import config
from idp.ids import digest
from idp.tenants import current
from idp.web import asked

SESSION = "session"
BINDING = "browser"
RESUME = "resume"
DEVICE = "device"
LINK = "link-"
"""The link of a kind that this browser has opened, so that it stands in no address while its page is open."""
SAID = "said"
"""What the next account page says once; signed, and read in one session only."""
TRUSTED = "trusted"
"""Of a device on which a second factor is not asked for again."""
LANGUAGE = "language"
"""The language that the person chose for the pages in this browser."""
STATE = "state"
"""What stands for the session in the frame that applications watch; the only one that a script may read."""

_MONTHS = 180 * 86_400
_LASTS = {DEVICE: _MONTHS, LANGUAGE: _MONTHS, TRUSTED: 365 * 86_400}


def proof(transaction: str) -> str:
    """The cookie of who has given a first factor in this transaction; each sign-in has one of its own, as tabs have."""
    return f"proof-{digest(transaction).hex()[:12]}"


def name(purpose: str) -> str:
    """The cookie's name for the entered tenant."""
    prefix = "__Host-" if config.settings().secure else ""
    return f"{prefix}idp_{current().slug}_{purpose}"


def read(purpose: str) -> str | None:
    """The value, or None when it is absent or came more than once."""
    return asked.cookie(name(purpose))


def write(response: Response, purpose: str, value: str) -> None:
    """Set a cookie; those of the device outlive the browser, the others do not."""
    response.set_cookie(
        name(purpose),
        value,
        max_age=_LASTS.get(purpose),
        path="/",
        **_attributes(purpose),
    )


def _attributes(purpose: str) -> dict[str, Any]:
    """Scripts read none but that of the frame, which another site's page holds (SameSite=None needs https)."""
    secure = config.settings().secure
    if purpose == STATE:
        return {"secure": secure, "httponly": False, "samesite": "None" if secure else "Lax"}
    return {"secure": secure, "httponly": True, "samesite": "Lax"}


def clear(response: Response, purpose: str) -> None:
    """Take a cookie away when the browser has it."""
    if name(purpose) in request.cookies:
        response.set_cookie(
            name(purpose),
            "",
            max_age=0,
            path="/",
            **_attributes(purpose),
        )
