"""How a page lays itself out for the window in which its application shows it.

`display` of OpenID Connect Core 1.0 §3.1.2.1: a `popup` is a small window without room to spare, `touch` is for
fingers; anything else is a page, which fits every width by itself. A wish, never an error.
"""

import re

from idp.oauth.checks import openid
from idp.web import asked

_KEPT = "idp.display"
_NAMED = re.compile(r"(?:^|&)display=([a-z]{1,10})(?:&|$)")


def wish(display: str | None) -> None:
    """What the application of this sign-in asked for."""
    asked.environ()[_KEPT] = _known(display)


def now() -> str:
    """The layout of the moment: what its application asked for, or the address of an endpoint; "" for a page."""
    here = asked.of_request.get({})
    kept: str | None = here.get(_KEPT)
    if kept is not None:
        return kept
    named = _NAMED.search(here.get("QUERY_STRING", ""))
    return _known(named[1] if named is not None else None)


def _known(display: str | None) -> str:
    return display if display in openid.DISPLAYS[1:] else ""
