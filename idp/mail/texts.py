"""A tenant's own words in messages: plain text with named fields, never a template and never markup.

A field stands in braces, as in "Hello from {tenant}"; which there are is known for each kind of message. What is filled
in was made visible and harmless before, is filled in once, and is escaped where the message is HTML.
"""

import re
from collections.abc import Mapping
from typing import Any

from idp import speech
from idp.errors import Invalid
from idp.mail import messages
from idp.mail.messages import Kind, Message
from idp.store.durable import mail_texts

PARTS = {"subject": 150, "heading": 150, "text": 4_000, "button": 60}
"""What a tenant may say itself, and in at most how many characters."""
NEEDED = ("code", "what")
"""Fields without which a message would not say what it is for."""
_FIELD = re.compile(r"\{([a-z_]{1,32})\}")
_MARKUP = re.compile(r"[<>{}]")


def fields(kind: Kind) -> tuple[str, ...]:
    """The fields that the words of a kind may name."""
    return tuple(sorted({"tenant", *(name for name in messages.fields(kind) if not name.startswith("has_"))}))


def checked(kind: Kind, given: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a message, as they are kept. Raises Invalid naming the part."""
    for name in given:
        if name not in PARTS:
            raise Invalid(f"{name} is no part of a message: {', '.join(PARTS)}.", rule=str(name))
    parts = {name: _part(kind, name, text) for name, text in given.items()}
    for field in NEEDED:
        if "text" in parts and field in fields(kind) and f"{{{field}}}" not in parts["text"]:
            raise Invalid(f"text must name {{{field}}}: without it the message says nothing.", rule="text")
    return parts


def _part(kind: Kind, name: str, text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise Invalid(f"{name} must be text.", rule=name)
    said = text.replace("\r\n", "\n").strip()
    if len(said) > PARTS[name]:
        raise Invalid(f"{name} must have at most {PARTS[name]} characters.", rule=name)
    if messages.UNSEEN.search(said.replace("\n", "")) or ("\n" in said and name != "text"):
        raise Invalid(f"{name} must be in one line, and visible.", rule=name)
    for field in _FIELD.findall(said):
        if field not in fields(kind):
            known = ", ".join(f"{{{each}}}" for each in fields(kind))
            raise Invalid(f"{name} names {{{field}}}, which {kind} has not: {known}.", rule=name)
    if _MARKUP.search(_FIELD.sub("", said)):
        raise Invalid(f"{name} must be plain text, with braces around names of fields alone.", rule=name)
    return said


def rendered(kind: Kind, link: str, given: Mapping[str, Any]) -> Message:
    """A message in the language of the moment, in the tenant's own words where it has some, else in ours.

    What `messages.render` raises.
    """
    kept = mail_texts.find(kind.value, speech.now())

    def own(said: Mapping[str, Any]) -> dict[str, str]:
        filled = {name: _filled(text, said) for name, text in kept.parts.items()} if kept is not None else {}
        return {name: text for name, text in filled.items() if text is not None}

    return messages.render(kind, link, own, **given)


def _filled(text: str, said: Mapping[str, Any]) -> str | None:
    """The text with its fields filled in; None where it names one that the message has no longer."""
    if not said.keys() >= set(_FIELD.findall(text)):
        return None
    return _FIELD.sub(lambda found: str(said[found[1]]), text)
