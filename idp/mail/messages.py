"""What a message looks like: its words once, as text and as HTML in the design of the pages.

Each kind is a template of plain-text blocks; the frame of the HTML escapes what they say. What people or tenants have
typed is never compiled, and never stands where a mail program would make it a header or markup.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from idp import branding, paths
from idp.tenants import current

_BLOCKS = ("subject", "heading", "text", "button", "why")
_UNSEEN = re.compile(
    "[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u061c\u2060\ufeff\ufff9-\ufffb\x00-\x1f\x7f-\x9f]"
)
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


KNOCKED = frozenset(
    {Kind.PASSWORD_RESET, Kind.APPROVAL_ASKED, Kind.ADDRESS, Kind.ADDRESS_TAKEN, Kind.REGISTRATION}
)
"""What a stranger can have sent to an address: so many a day. What concerns an account's safety always goes out."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is sent: subject in one line, plain text, HTML."""

    subject: str
    text: str
    html: str


@cache
def _environment(markup: bool, neutral: bool) -> Environment:
    """`markup`: what is printed is escaped; `neutral`: it is in one line, bounded and visible (`_seen`)."""
    return Environment(
        loader=FileSystemLoader(paths.templates()),
        autoescape=markup,
        undefined=StrictUndefined,
        finalize=_seen if neutral else None,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _seen(value: Any) -> Any:
    """A value in one line, without characters that are invisible or reorder text."""
    return _UNSEEN.sub(" ", value)[:_LONGEST] if isinstance(value, str) else value


def render(kind: Kind, link: str = "", **fields: Any) -> Message:
    """The message, for the entered tenant. `link`: where its button leads; `fields`: what its words name.

    Raises jinja2.UndefinedError for a field that the words name and nobody gave.
    """
    tenant = current()
    words = _words(kind, {**fields, "tenant": tenant.name, "account": f"{tenant.issuer}/account"})
    told = {
        **words,
        "paragraphs": [each.strip() for each in words["text"].split("\n\n") if each.strip()],
        "link": link,
        "tenant": _seen(tenant.name),
        "home": f"{tenant.issuer}/",
        "colors": branding.accent(branding.primary_of(tenant.branding), branding.LIGHT),
        "dark": branding.accent(branding.primary_of(tenant.branding), branding.DARK),
    }
    text = _environment(False, False).get_template("email/frame.txt").render(told)
    html = _environment(True, False).get_template("email/frame.html").render(told)
    return Message(words["subject"], text, html)


def _words(kind: Kind, fields: Mapping[str, Any]) -> dict[str, str]:
    """The blocks of a kind: paragraphs of `text` keep their empty lines, all else is one line."""
    template = _environment(False, True).get_template(f"email/{kind.value}.jinja")
    found = {}
    for name in _BLOCKS:
        block = template.blocks.get(name)
        said = "".join(block(template.new_context(dict(fields)))) if block is not None else ""
        lines = [" ".join(each.split()) for each in said.strip().split("\n\n")]
        found[name] = "\n\n".join(lines) if name == "text" else " ".join(lines)
    return found
