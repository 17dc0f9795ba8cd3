"""Claims about a person in several languages and scripts (OpenID Connect Core 1.0 §5.2).

What people read of a person may be held once more for each language of the tenant's policy `claims_locales`, as
`family_name#ja-Kana-JP`. Owns which claims those are, their tags, and which of them a request wants. Leaves to
`idp.accounts.claims` what is told of them.
"""

import re
from collections.abc import Iterator
from functools import cache

from babel import Locale

from idp.tenants import current

TAGGED = ("name", "given_name", "family_name", "middle_name", "nickname", "profile", "website", "address")
"""Claims that people read, or that lead to what they read; each other one is the same in every language."""
MARK = "#"
_MOST, _LONGEST = 20, 300


def allowed() -> tuple[str, ...]:
    """The tags under which people of the entered tenant may have claims, spelled as its policy does."""
    return current().policy.claims_locales


def split(name: str) -> tuple[str, str] | None:
    """Claim and tag of a claim's name with a tag that counts here; None for any other name."""
    claim, mark, tag = name.partition(MARK)
    if not mark or claim not in TAGGED:
        return None
    spelled = next((each for each in allowed() if each.lower() == tag.lower()), None)
    return None if spelled is None else (claim, spelled)


def named(claim: str, tag: str) -> str:
    """The name of a claim in the language of a tag."""
    return f"{claim}{MARK}{tag}"


def wanted(claims_locales: str | None) -> tuple[str, ...]:
    """Of a request's `claims_locales` those tags that count here, the best first.

    Each is cut from its end until one is found (RFC 4647 §3.4); what nobody has is passed over, never an error.
    """
    mine = {each.lower(): each for each in allowed()}
    given = (claims_locales or "")[:_LONGEST].split()[:_MOST] if mine else []
    return tuple(dict.fromkeys(mine[found] for tag in given if (found := _nearest(tag.lower(), mine))))


def _nearest(tag: str, mine: dict[str, str]) -> str | None:
    return next((each for each in _shorter(tag) if each in mine), None)


def _shorter(tag: str) -> Iterator[str]:
    parts = tag.split("-")
    yield from ("-".join(parts[:length]) for length in range(len(parts), 0, -1))


@cache
def registered(tag: str) -> bool:
    """Whether every subtag of a tag in its usual spelling is a language, a script or a region that there is."""
    known = Locale("en")
    language, *more = tag.split("-")
    return language in known.languages and all(
        each in (known.scripts if re.fullmatch(r"[A-Z][a-z]{3}", each) else known.territories)
        for each in more
    )
