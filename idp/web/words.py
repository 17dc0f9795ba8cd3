"""Text on its way into a page: neutralised, put into words, or refused.

Owns what may be printed and how numbers and scopes read. Leaves the sentences of a page to its template.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from babel.dates import format_date, format_timedelta
from markupsafe import Markup

from idp.speech import Sentence
from idp.speech import duration as duration
from idp.web import languages
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

_WRITTEN_AS: Final = {"en": "en_001"}
"""Whose dates a language has, where its own are those of one country."""
_UNITS: Final[tuple[tuple[Literal["day", "hour", "minute", "second"], int], ...]] = (
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
    ("second", 1),
)


def neutral(value: Any) -> Any:
    """What a template prints, without characters that are invisible or reorder text; markup passes as it is.

    A sentence that was marked elsewhere is said in the language of the page.
    """
    if isinstance(value, Sentence):
        value = languages.told(value)
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNSEEN.sub("", _BREAKS.sub(" ", value))


def short(name: str, longest: int = LONGEST) -> str:
    """A name, cut where it would push the rest off the page."""
    shown: str = neutral(name).strip()
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def ago(then: datetime, now: datetime) -> str:
    """How long ago something was, in one unit, rounded down: "3 days ago"; "just now" within the last minute."""
    return past(int((now - then).total_seconds()))


def past(seconds: int) -> str:
    """How long ago something was that was so many seconds ago, as `ago` says it."""
    found = next(((unit, size) for unit, size in _UNITS if seconds >= size >= 60), None)
    if found is None:
        return _("just now")
    unit, size = found
    whole = timedelta(seconds=seconds // size * size)
    # A threshold that nothing reaches: the unit is the one found here, never weeks or months.
    return format_timedelta(
        -whole, granularity=unit, threshold=seconds + 1, add_direction=True, locale=languages.now()
    )


def day(then: datetime) -> str:
    """A day, in UTC: "30 November 2026"."""
    language = languages.now()
    return format_date(then.astimezone(UTC), "long", locale=_WRITTEN_AS.get(language, language))


def instant(then: datetime) -> str:
    """A moment to the minute, in UTC."""
    clock = then.astimezone(UTC).strftime("%H:%M")
    return _("%(day)s, %(clock)s UTC", day=day(then), clock=clock)


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
