"""What a message looks like: its words once, as text and as HTML in the design of the pages.

Each kind is a template of plain-text blocks in the language of the moment; the frame of the HTML escapes what they say.
What people or tenants have typed is never compiled, and never stands where a mail program would make it a header or
markup.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

from idp import branding, paths, speech
from idp.mail import phrases
from idp.tenants import current

_BLOCKS = ("subject", "heading", "text", "button", "why")
UNSEEN = re.compile(
    "[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u061c\u2060\ufeff\ufff9-\ufffb\x00-\x1f\x7f-\x9f]"
)
_ISOLATES = re.compile("[\u2068\u2069]")
_LONGEST = 200  # characters of a value that somebody typed


class Kind(StrEnum):
    """Every message that is ever sent; each is a file in `templates/email`."""

    PASSWORD_CHANGED = "password_changed"
    FACTORS_CHANGED = "factors_changed"
    PASSWORD_RESET = "password_reset"
    APPROVAL_ASKED = "approval_asked"
    ADDRESS = "address"
    ADDRESS_CHANGED = "address_changed"
    ADDRESS_TAKEN = "address_taken"
    REGISTRATION = "registration"
    INVITATION = "invitation"
    LEAVING = "leaving"
    EMAIL_CODE = "email_code"
    TEST = "test"


KNOCKED = frozenset(
    {Kind.PASSWORD_RESET, Kind.APPROVAL_ASKED, Kind.ADDRESS, Kind.ADDRESS_TAKEN, Kind.REGISTRATION}
)
"""What a stranger can have sent to an address: so many a day. What concerns an account's safety always goes out."""
SAFETY = frozenset({Kind.PASSWORD_CHANGED, Kind.FACTORS_CHANGED, Kind.ADDRESS_CHANGED, Kind.LEAVING})
"""What concerns an account's safety: no number of other messages keeps it back."""


Own = Callable[[Mapping[str, Any]], Mapping[str, str]] | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is sent: subject in one line, plain text, HTML."""

    subject: str
    text: str
    html: str


@cache
def _environment(markup: bool) -> Environment:
    """`markup`: what is printed is escaped."""
    made = Environment(
        loader=FileSystemLoader(paths.templates()),
        autoescape=markup,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(speech._, speech.plural, newstyle=True)  # type: ignore[attr-defined]
    return made


@cache
def fields(kind: Kind) -> frozenset[str]:
    """What the words of a kind name, beside `tenant`."""
    environment = _environment(False)
    source, _, _ = FileSystemLoader(paths.templates()).get_source(environment, f"email/{kind.value}.jinja")
    named = meta.find_undeclared_variables(environment.parse(source))
    return frozenset(named) - {"_", "ngettext", "tenant"}


def _seen(value: str) -> str:
    """A value in one line, without characters that are invisible or reorder text.

    Where the language reads from the right it is isolated, so that it moves nothing beside it.
    """
    shown = UNSEEN.sub(" ", value)[:_LONGEST]
    return f"\u2068{shown}\u2069" if shown and speech.direction(speech.now()) == "rtl" else shown


def _said(name: str, value: Any) -> Any:
    """A field as it is read: what happened as a sentence, how long in words, what somebody typed made visible."""
    if name == "what":
        return phrases.sentence(phrases.What(value), _seen(current().name))
    if name == "lasts":
        return speech.duration(int(value))
    return _seen(value) if isinstance(value, str) else value


def render(kind: Kind, link: str = "", own: Own = None, /, **given: Any) -> Message:
    """The message, for the entered tenant, in the language of the moment.

    `link`: where its button leads; `own`: makes the tenant's own words of the fields as they are read, by part;
    `given`: what its words name (`fields`).

    Raises jinja2.UndefinedError for a field that the words name and nobody gave.
    """
    tenant, language = current(), speech.now()
    said = {name: _said(name, value) for name, value in {**given, "tenant": tenant.name}.items()}
    theirs = own(said) if own is not None else {}
    words = {**_words(kind, said), **{name: _in_lines(name, text) for name, text in theirs.items()}}
    told = {
        **words,
        "paragraphs": [each.strip() for each in words["text"].split("\n\n") if each.strip()],
        "link": link,
        "tenant": UNSEEN.sub(" ", tenant.name)[:_LONGEST],
        "language": language,
        "direction": speech.direction(language),
        "home": f"{tenant.issuer}/",
        "colors": branding.accent(branding.primary_of(tenant.branding), branding.LIGHT),
        "dark": branding.accent(branding.primary_of(tenant.branding), branding.DARK),
    }
    text = _environment(False).get_template("email/frame.txt").render(told)
    html = _environment(True).get_template("email/frame.html").render(told)
    return Message(_ISOLATES.sub("", words["subject"]), text, html)


def _words(kind: Kind, said: Mapping[str, Any]) -> dict[str, str]:
    """The blocks of a kind in our words."""
    template = _environment(False).get_template(f"email/{kind.value}.jinja")
    found = {}
    for name in _BLOCKS:
        block = template.blocks.get(name)
        filled = "".join(block(template.new_context(dict(said)))) if block is not None else ""
        found[name] = _in_lines(name, filled)
    return found


def _in_lines(name: str, filled: str) -> str:
    """What a block says: paragraphs of `text` keep their empty lines, all else is one line."""
    lines = [" ".join(each.split()) for each in filled.strip().split("\n\n")]
    return "\n\n".join(lines) if name == "text" else " ".join(lines)
