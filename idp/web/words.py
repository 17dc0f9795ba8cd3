"""Text on its way into a page: neutralised, put into words, or refused.

Owns what may be printed and how numbers and scopes read. Leaves the sentences of a page to its template.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from markupsafe import Markup

from idp.speech import duration as duration
from idp.web.languages import _

LONGEST: Final = 80
"""Characters of a printed name; one of 64 kB does not push the form off the page."""

CSP_SOURCE: Final = re.compile(r"https?://[a-z0-9.-]+(?::\d{1,5})?|[a-z][a-z0-9+.-]*:", re.IGNORECASE)

# Bidirectional embeddings, overrides and isolates can make "evil.example" read as another name; the other
# marks, zero-width characters and controls are invisible and only serve to make two names look alike.
_UNSEEN: Final = re.compile(
    "[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u061c\u2060\ufeff\ufff9-\ufffb\x00-\x08\x0e-\x1f\x7f-\x9f]"
)
_BREAKS: Final = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]+")

_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def neutral(value: Any) -> Any:
    """What a template prints, without characters that are invisible or reorder text; markup passes as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNSEEN.sub("", _BREAKS.sub(" ", value))


def short(name: str, longest: int = LONGEST) -> str:
    """A name, cut where it would push the rest off the page."""
    shown: str = neutral(name).strip()
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def ago(then: datetime, now: datetime) -> str:
    """How long ago something was, in one unit, rounded down: "3 days ago"; "just now" within the last minute."""
    seconds = int((now - then).total_seconds())
    count, word = next(
        ((seconds // size, unit) for unit, size in _UNITS if seconds >= size and size >= 60), (0, "")
    )
    return f"{count} {word}{'' if count == 1 else 's'} ago" if word else "just now"


def day(then: datetime) -> str:
    """A day, in UTC: "30 November 2026"."""
    return then.astimezone(UTC).strftime("%-d %B %Y")


def counted(count: int, thing: str, rest: str) -> str:
    """How many: "2 browsers signed in", "No application with access"."""
    return f"{count or 'No'} {thing}{'s' if count > 1 else ''} {rest}"


def instant(then: datetime) -> str:
    """A moment to the minute, in UTC."""
    return then.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC")


def https_only(address: str | None) -> str:
    """The address if it is a plain https one, else ''."""
    if not address or neutral(address) != address or any(sign in address for sign in " \\\"'<>"):
        return ""
    try:
        parts = urlsplit(address)
        named = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return ""
    return address if parts.scheme == "https" and named else ""


def initial(name: str) -> str:
    """The first letter or digit of a name, upper case, for the tile that stands in for a logo."""
    return next((sign.upper() for sign in neutral(name) if sign.isalnum()), "·")


def standard_scope(name: str) -> str | None:
    """What a scope of OpenID Connect, or of every tenant, allows."""
    return {
        "openid": _("Know who you are in this organisation"),
        "profile": _("See your name, picture and other profile details"),
        "email": _("See your e-mail address"),
        "address": _("See your postal address"),
        "phone": _("See your phone number"),
        "offline_access": _("Keep access when you are not using it"),
        "groups": _("See which groups you belong to"),
        "roles": _("See your roles"),
    }.get(name)


def scope_sentence(name: str, sentence: str = "") -> str:
    """What a scope allows, in words: the API's own sentence, the standard one, or the name."""
    return sentence or standard_scope(name) or name
