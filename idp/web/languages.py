"""In which language a page speaks, and its words in that language.

Chosen once a request: what the application asks for (`ui_locales`, OpenID Connect Core 1.0 §3.1.2.1), then what the
person chose in this browser before, then what the browser asks for, each within what the tenant's policy allows;
a language that nobody here speaks is never an error. The words themselves, and what is spoken at the moment, are
`idp.speech`'s, which mails ask as well. docs/languages.md tells how.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Flask
from flask_babel import Babel

from idp import speech
from idp.speech import WRITTEN as WRITTEN
from idp.speech import _ as _
from idp.speech import allowed as allowed
from idp.speech import catalogue as catalogue
from idp.speech import direction as direction
from idp.speech import now as now
from idp.speech import own_name as own_name
from idp.speech import plural as plural
from idp.speech import speaking as speaking
from idp.speech import told as told
from idp.tenants import maybe_current
from idp.web import asked, cookies

WAITING: frozenset[str] = frozenset()
"""Pages whose words do not stand in every language yet, by template: each is English and says so."""
_MOST, _LONGEST, _LONGEST_QUERY = 20, 300, 4_000
_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,7}")
_KEPT = "idp.language"


def speak(app: Flask) -> None:
    """Let Flask-Babel know the language of each request, for its formats, and mails what a request asked for."""
    Babel(app, locale_selector=now)
    speech.listen(_heard)


def _heard() -> str | None:
    """The language for which the request of the moment asks; None without one."""
    here = asked.of_request.get({})
    if not here:
        return None
    if _KEPT not in here:
        here[_KEPT] = _chosen(here, None)
    found: str | None = here[_KEPT]
    return found


def wish(ui_locales: str | None) -> None:
    """What the application of this sign-in asked for; a choice on the very page goes before it."""
    here = asked.environ()
    here[_KEPT] = _chosen(here, ui_locales)


def picked() -> str:
    """The language that this request's own address names, "" where it names none."""
    here = asked.of_request.get({})
    return speech.first(_tags(_parameter(here)), allowed()) or ""


def chosen_here() -> bool:
    """Whether the person has just chosen the language of a page of ours; at an endpoint its application asks for it."""
    path = str(asked.of_request.get({}).get("PATH_INFO", ""))
    return maybe_current() is not None and not path.endswith(("/authorize", "/logout")) and bool(picked())


def offered() -> tuple[tuple[str, str, str], ...]:
    """Each language in which this very page can be had: its tag, its own name, and the page's address in it.

    Of pages of our own alone: what was asked of an endpoint is never written into an answer.
    """
    here = asked.of_request.get({})
    path, query, mine = here.get("PATH_INFO", ""), here.get("QUERY_STRING", ""), allowed()
    kept = [
        pair for pair in parse_qsl(query[:_LONGEST_QUERY], keep_blank_values=True) if pair[0] != "ui_locales"
    ]
    again = here.get("REQUEST_METHOD") == "GET" or "/interaction/" in path
    own = not path.endswith(("/authorize", "/logout")) and {name for name, _value in kept} <= {"tx"}
    if not again or not own or len(mine) < 2 or len(query) > _LONGEST_QUERY:
        return ()
    return tuple((each, own_name(each), f"?{urlencode([*kept, ('ui_locales', each)])}") for each in mine)


def _chosen(here: asked.Environ, ui_locales: str | None) -> str | None:
    mine = allowed()
    wishes = (_tags(_parameter(here)), _tags(ui_locales), _remembered(), _accepted(here))
    return next(filter(None, (speech.first(each, mine) for each in wishes)), None)


def _parameter(here: asked.Environ) -> str | None:
    """`ui_locales` of the address, read without the strictness that is for the endpoint itself."""
    found = re.search(r"(?:^|&)ui_locales=([A-Za-z0-9%+-]{1,300})", here.get("QUERY_STRING", ""))
    return None if found is None else re.sub(r"\+|%20", " ", found[1])


def _remembered() -> list[str]:
    return _tags(cookies.read(cookies.LANGUAGE)) if maybe_current() is not None else []


def _tags(text: str | None) -> list[str]:
    """Language tags between blanks (BCP 47), those that are none left out."""
    return [each for each in (text or "")[:_LONGEST].split()[:_MOST] if _TAG.fullmatch(each)]


def _accepted(here: asked.Environ) -> list[str]:
    """What the browser asks for, the best first (RFC 9110 §12.5.4)."""
    weighed: list[tuple[float, int, str]] = []
    for part in here.get("HTTP_ACCEPT_LANGUAGE", "")[:_LONGEST].split(",")[:_MOST]:
        tag, _semicolon, weight = part.strip().partition(";")
        quality = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", weight) if weight else None
        if _TAG.fullmatch(tag.strip()) and (quality is not None or not weight):
            weighed.append((-float(quality[1]) if quality else -1.0, len(weighed), tag.strip()))
    return [tag for weight, _order, tag in sorted(weighed) if weight < 0]


def best(tagged: dict[str, Any], name: str) -> Any:
    """Of `name` and its variants for other languages (`name#de`), the one for the language of the moment.

    OpenID Connect Registration 1.0 §2.1; compared without case, cut from its end like any tag.
    """
    spoken = {
        key.partition("#")[2].lower(): value for key, value in tagged.items() if key.startswith(f"{name}#")
    }
    wanted = now()
    near = next((value for tag, value in spoken.items() if tag.partition("-")[0] == wanted), None)
    return spoken.get(wanted, near if near is not None else tagged.get(name))
