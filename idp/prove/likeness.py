"""Whether two answers are alike, once everything is masked in which two answers to one request differ.

What was sent is masked where it comes back; request ids and dates are each answer's own by definition.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from html import escape
from urllib.parse import quote, quote_plus

from idp.prove.wire import Answer

OWN = frozenset({"date", "x-request-id", "connection", "keep-alive"})
"""Headers that are each answer's, or each connection's, own."""
SHORTEST = 6
"""Characters of what was sent, for it to be masked where it comes back."""
SETTLES = 20
"""Times that a page which everybody sees is asked anew, for it to rest while it is compared."""
PAUSE = 0.5
"""Seconds between them."""
_DATE = re.compile(r"\w{3}, \d\d \w{3} (?!1970)\d{4} \d\d:\d\d:\d\d GMT")
"""An instant in a header (RFC 9110 §5.6.7), such as a cookie's end; one in 1970 says that it has ended."""
_WORD = re.compile(r"[\w-]+|[^\w-]")
_MASKED = "§"


def words(answer: Answer, sent: Iterable[str] = ()) -> list[str]:
    """Status, headers and body in pieces, with what was `sent` masked."""
    head = sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in OWN)
    lines = [str(answer.status), *(f"{name}: {value}" for name, value in head), answer.text]
    text = "\n".join(lines).replace(answer.header("X-Request-Id") or _MASKED, _MASKED)
    for given in sorted(set(sent), key=len, reverse=True):
        if len(given) >= SHORTEST:
            for spelled in {given, escape(given), quote(given, safe=""), quote_plus(given)}:
                text = text.replace(spelled, _MASKED)
    return _WORD.findall(_DATE.sub(_MASKED, text))


def unlike(
    foreign: Callable[[], Answer], absent: Callable[[], Answer], sent: Sequence[str], nobodys: Sequence[str]
) -> str | None:
    """In words, how the answer to what is another's differs from the answer to what is nobody's; None: it does not.

    `sent`, `nobodys`: the texts in which the two requests differ. What is another's is sent once, since many a thing
    opens only once.
    """
    seen, missing = foreign(), absent()
    found, wanted = words(seen, sent), words(missing, nobodys)
    if found == wanted:
        return None
    again = words(absent(), nobodys)
    if len(again) == len(wanted) and _same(found, wanted, again):
        return None
    return f"{seen}, and for what does not exist {missing.status}{_first(found, wanted, again)}"


def unlike_at_rest(
    foreign: Callable[[], Answer], absent: Callable[[], Answer], sent: Sequence[str], nobodys: Sequence[str]
) -> str | None:
    """As `unlike`, of what takes no credential and may change by itself, such as a list that others add to.

    What is nobody's is asked before and after. A difference counts only where those two are alike, so that the page
    rested in between; one that never rests is told of as different.
    """
    told = None
    for attempt in range(SETTLES):
        if attempt:
            time.sleep(PAUSE)
        before = words(absent(), nobodys)
        told = unlike(foreign, absent, sent, nobodys)
        if told is None:
            return None
        if _alike(before, words(absent(), nobodys), words(absent(), nobodys)):
            break
    return told


def _alike(before: list[str], after: list[str], once_more: list[str]) -> bool:
    return len(after) == len(once_more) and _same(before, after, once_more)


def _same(found: list[str], wanted: list[str], again: list[str]) -> bool:
    return len(found) == len(wanted) and all(
        one == other or other != once_more for one, other, once_more in zip(found, wanted, again, strict=True)
    )


def _first(found: list[str], wanted: list[str], again: list[str]) -> str:
    """Where they part; never what a credential could be."""
    for at, (one, other, once_more) in enumerate(zip(found, wanted, again, strict=False)):
        if one != other and other == once_more:
            before = "".join(wanted[max(0, at - 8) : at])[-40:].replace("\n", " ")
            return f" (after “{before}”: {one[:24]!r}, not {other[:24]!r})"
    return f" ({len(found)} and {len(wanted)} words)"
